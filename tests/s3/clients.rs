//! Clients of presigned URLs: curl, the HTTP session of boto3, and `fetch` of a browser in a page of the store's origin.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde::Serialize;
use serde_json::{Value, json};

use crate::support::{Browser, browser};

/// A request, and its name in the table.
#[derive(Debug, Serialize)]
pub struct Asked {
    pub name: &'static str,
    pub method: &'static str,
    pub url: String,
    pub headers: BTreeMap<String, String>,
    pub body: Option<String>,
}

/// Status, 0 without an answer, and headers, names in lower case.
type Answer = (u16, BTreeMap<String, String>);

pub enum Client {
    Curl,
    Boto3,
    Browser(Box<Browser>),
}

impl Client {
    /// `curl`, `boto3` or `browser`; a browser begins with a page.
    pub async fn named(name: &str, page: &str) -> Self {
        let mut client = match name {
            "curl" => Self::Curl,
            "boto3" => Self::Boto3,
            _ => Self::Browser(Box::new(browser().await)),
        };
        client.at(page).await;
        client
    }

    /// Opens a page of the store's origin: only such may read what the store answers.
    pub async fn at(&mut self, page: &str) {
        if let Self::Browser(browser) = self {
            browser.open(page).await;
        }
    }

    /// The answers as the table shows them.
    pub async fn ask(&mut self, asked: &[Asked]) -> Vec<String> {
        let answers: Vec<Answer> = match self {
            Self::Curl => asked.iter().map(curl).collect(),
            Self::Boto3 => serde_json::from_slice(&boto3(asked)).expect("answers"),
            Self::Browser(browser) => serde_json::from_value(fetched(browser, asked).await).expect("answers"),
        };
        assert_eq!(answers.len(), asked.len());
        asked.iter().zip(answers).map(|(asked, answer)| shown(asked, &answer)).collect()
    }
}

fn curl(asked: &Asked) -> Answer {
    let mut command = Command::new("curl");
    command.args(["-sS", "-o", "/dev/null", "-D", "-", "--http1.1", "-H", "Expect:", "-X", asked.method]);
    let has_type = asked.headers.contains_key("content-type");
    if let Some(body) = &asked.body {
        command.args(["--data-binary", body]);
        // Else curl adds a type of its own.
        command.args((!has_type).then_some(["-H", "content-type:"]).into_iter().flatten());
    }
    command.args(asked.headers.iter().flat_map(|(name, value)| ["-H".to_owned(), format!("{name}: {value}")]));
    let output = command.arg(&asked.url).output().expect("curl");
    let head = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
    (status.expect("an answer"), headers)
}

fn boto3(asked: &[Asked]) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".tools/boto3/bin/python");
    assert!(python.is_file(), "{} is missing: tests/s3/boto3/install.sh", python.display());
    let mut command = Command::new(python);
    command.arg(root.join("tests/s3/boto3/ask.py")).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let input = serde_json::to_vec(asked).expect("JSON");
    child.stdin.take().expect("piped").write_all(&input).expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", output.status);
    output.stdout
}

async fn fetched(browser: &mut Browser, asked: &[Asked]) -> Value {
    // A `Blob` without a type: for a text, the browser adds `content-type: text/plain`.
    let script = format!(
        "(async () => {{
            const answers = [];
            for (const {{ method, url, headers, body }} of {}) {{
                const request = {{ method, headers, cache: 'no-store', body: body && new Blob([body]) }};
                const answer = await fetch(url, request).catch(() => null);
                await answer?.arrayBuffer();
                answers.push([answer?.status ?? 0, Object.fromEntries(answer?.headers ?? [])]);
            }}
            return answers;
        }})()",
        json!(asked)
    );
    browser.eval(&script).await
}

/// The status and the headers that a client relies on; of those that differ by nature, that they are there.
fn shown(asked: &Asked, (status, headers): &Answer) -> String {
    let mut shown = status.to_string();
    if !(200..400).contains(status) || asked.method == "PUT" {
        return shown;
    }
    for name in ["content-type", "content-length", "content-range", "content-disposition"] {
        if let Some(value) = headers.get(name) {
            let _infallible = write!(shown, "; `{name}: {value}`");
        }
    }
    for name in ["etag", "last-modified"].into_iter().filter(|name| headers.contains_key(*name)) {
        let _infallible = write!(shown, "; `{name}`");
    }
    shown
}
