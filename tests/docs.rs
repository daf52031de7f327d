//! The documents' commands, run as they are printed: each block marked `sh test` of README.md and deploy/docs, in order, against
//! a sandbox instance that is started as the README says, and found as a reader's shell finds it. A `text` block after one is the output: `…` stands for any text, a
//! line `…` for any lines.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::support::{command, on_server_thread, signal, temp_dir};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Documents that would be wrong without a command.
const WITH_COMMANDS: [&str; 7] = [
    "README.md",
    "deploy/docs/api.md",
    "deploy/docs/concepts.md",
    "deploy/docs/csv.md",
    "deploy/docs/providers.md",
    "deploy/docs/sending.md",
    "deploy/docs/webhooks.md",
];
/// Between the outputs of two blocks: a character that no command prints.
const MARK: char = '\u{1e}';

#[derive(Debug, PartialEq, Eq)]
struct Block {
    /// Of the first line of the script.
    line: usize,
    script: String,
    output: Option<String>,
}

/// README.md, then the others by name.
fn documents() -> Vec<(String, String)> {
    let folder = fs::read_dir(Path::new(ROOT).join("deploy/docs")).expect("a folder").flatten();
    let mut names: Vec<String> = folder
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".md"))
        .map(|name| format!("deploy/docs/{name}"))
        .collect();
    names.push("README.md".to_owned());
    names.sort();
    let text = |name: &String| fs::read_to_string(Path::new(ROOT).join(name)).expect("a document");
    names.into_iter().map(|name| (name.clone(), text(&name))).collect()
}

/// The fenced blocks with their language and the line on which their content begins.
fn fences(text: &str) -> Vec<(usize, &str, String)> {
    let (mut found, mut open): (Vec<(usize, &str, String)>, bool) = (Vec::new(), false);
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(language), false) => (open, _) = (true, found.push((at + 2, language, String::new()))),
            (Some(_), true) => open = false,
            (None, true) => {
                let (_, _, content) = found.last_mut().expect("an open block");
                content.push_str(line);
                content.push('\n');
            }
            (None, false) => {}
        }
    }
    found
}

fn blocks(text: &str) -> Vec<Block> {
    let mut fences = fences(text).into_iter().peekable();
    let mut blocks = Vec::new();
    while let Some((line, language, script)) = fences.next() {
        if language != "sh test" {
            continue;
        }
        // Directly below, with an empty line between at most.
        let end = line + script.lines().count();
        let output = fences.next_if(|(at, language, _)| *language == "text" && *at <= end + 3);
        blocks.push(Block { line, script, output: output.map(|(_, _, output)| output) });
    }
    blocks
}

/// Whether `…` can stand for something that makes the line of the document the printed one.
fn line_fits(expected: &str, printed: &str) -> bool {
    let mut parts = expected.trim_end().split('…');
    let Some(mut rest) = printed.trim_end().strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut open = false;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        (rest, open) = (&rest[at + part.len()..], part.is_empty());
    }
    open || rest.is_empty()
}

fn fits(expected: &[&str], printed: &[&str]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((line, others)) if line.trim() == "…" => {
            (0..=printed.len()).any(|lines| fits(others, &printed[lines..]))
        }
        Some((line, others)) => {
            printed.split_first().is_some_and(|(first, rest)| line_fits(line, first) && fits(others, rest))
        }
    }
}

/// `luci up --sandbox` in a folder, ended as Ctrl-C ends it.
struct Instance(Child);

impl Instance {
    fn start(folder: &Path) -> Self {
        let mut up = command(&folder.join(".luci-sandbox"), &["up", "--sandbox", "--json", "--listen", "127.0.0.1:0"]);
        let log = fs::File::create(folder.join("luci.log")).expect("a file");
        up.current_dir(folder).stdout(Stdio::piped()).stderr(log);
        let mut child = on_server_thread(move || up.spawn().expect("it starts"));
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        assert!(line.contains("\"url\""), "{}", fs::read_to_string(folder.join("luci.log")).unwrap_or_default());
        Self(child)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        signal("-TERM", self.0.id());
        let _ended = self.0.wait();
    }
}

/// Runs the blocks of a document in one shell, as a reader does; returns what each printed.
fn run(folder: &Path, name: &str, blocks: &[Block]) -> Vec<String> {
    let marked = blocks.iter().map(|block| format!("{}printf '{MARK}\\n'\n", block.script));
    let program = Path::new(env!("CARGO_BIN_EXE_luci")).parent().expect("a folder").display();
    let mut shell = Command::new("timeout");
    shell.args(["240", "sh", "-euc", &format!("exec 2>&1\n{}", marked.collect::<String>())]).current_dir(folder);
    shell
        .env_clear()
        .env("PATH", format!("{program}:/usr/local/bin:/usr/bin:/bin"))
        .env("HOME", folder)
        .stdin(Stdio::null());
    let output = shell.output().expect("sh");
    // Said where an instance of another folder than `.luci` runs.
    let text = String::from_utf8_lossy(&output.stdout).replace("using the instance in .luci-sandbox\n", "");
    let printed: Vec<String> =
        text.split(MARK).map(|part| part.strip_prefix('\n').unwrap_or(part).to_owned()).collect();
    let failed = blocks.get(printed.len() - 1).map_or(0, |block| block.line);
    assert!(output.status.success(), "{name}:{failed} failed, and printed\n{}", printed.last().expect("one"));
    printed
}

#[test]
fn every_command_of_the_documents_works_as_it_is_printed() {
    let folder = temp_dir("docs");
    let _instance = Instance::start(&folder);
    let mut wrong = Vec::new();
    for (name, text) in documents() {
        let blocks = blocks(&text);
        assert!(!WITH_COMMANDS.contains(&&*name) || !blocks.is_empty(), "{name} has no block marked `sh test`");
        if blocks.is_empty() {
            continue;
        }
        for (block, printed) in blocks.iter().zip(run(&folder, &name, &blocks)) {
            let Some(expected) = &block.output else { continue };
            let (lines, found): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), printed.lines().collect());
            if !fits(&lines, &found) {
                wrong.push(format!("{name}:{} printed\n{printed}\ninstead of\n{expected}", block.line));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A heading's anchor, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-' || *c == '_')
        .collect::<String>();
    kept.trim().replace(' ', "-")
}

#[test]
fn every_link_of_the_documents_has_a_target() {
    let mut broken = Vec::new();
    for (name, text) in documents() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            let own = Path::new(ROOT).join(&name);
            let target: PathBuf = if path.is_empty() { own } else { own.parent().expect("a folder").join(path) };
            let headings = || fs::read_to_string(&target).unwrap_or_default();
            let has = |text: String| {
                let heading = |line: &str| line.starts_with('#').then(|| anchor(line.trim_start_matches('#')));
                text.lines().filter_map(heading).any(|heading| heading == fragment)
            };
            if !target.exists() || (!fragment.is_empty() && !has(headings())) {
                broken.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn blocks_and_their_output_are_found() {
    let text = "a\n```sh test\nluci\n```\n\n```text\nout …\n```\n```sh\nnot run\n```\n";
    let expected = Block { line: 3, script: "luci\n".into(), output: Some("out …\n".into()) };
    assert_eq!(blocks(text), [expected]);
    assert!(fits(&["a …", "…", "z"], &["a b", "c", "d", "z"]) && fits(&["…"], &[]));
    assert!(line_fits("run_… in … s", "run_01 in 2.1 s") && line_fits("plain", "plain "));
    assert!(!fits(&["a"], &["a", "b"]) && !line_fits("run_… done", "run_1 done now") && !line_fits("b", "ab"));
}
