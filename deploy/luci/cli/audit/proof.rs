//! `luci audit verify` and `export`: verify the hash chain of a run through the gateway, or of an exported file locally.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;
use luci_schema::{
    Micros, RunId,
    history::{FORMAT, HistoryError, Proof, Title},
    seal::Sealed,
};
use serde_json::{Value, json};

use super::Page;
use crate::{
    cli::{
        Outcome,
        client::{Api, ApiError},
        out,
    },
    config::Config,
};

#[derive(Debug, Args)]
pub struct Verify {
    /// Run, which the gateway verifies, or file of `luci audit export`, which is verified locally
    #[arg(value_name = "RUN|FILE")]
    target: String,
    /// Expected hash of the last event
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
    /// Public key that must have sealed the events
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
    #[arg(long)]
    json: bool,
}

/// The result of a verification.
struct Verification {
    /// The run, or the file and its run.
    target: String,
    checked: u64,
    events: u64,
    head: String,
    /// The newest event that a seal proves.
    sealed: Option<Box<Sealed>>,
    /// Why it is not intact.
    fault: Option<String>,
}

impl Verification {
    /// Compares it with what the caller expects.
    fn expect(&mut self, head: Option<&str>, key: Option<&str>) {
        let sealed_by = self.sealed.as_ref().map(|sealed| hex::encode(sealed.seal.public_key));
        let differs =
            |found: &str, expected: Option<&str>| expected.filter(|expected| *expected != found).map(str::to_owned);
        let wrong_head =
            differs(&self.head, head).map(|expected| format!("the last event's hash is {}, not {expected}", self.head));
        let wrong_key = differs(sealed_by.as_deref().unwrap_or("nobody"), key)
            .map(|expected| format!("it is sealed by {}, not {expected}", sealed_by.as_deref().unwrap_or("nobody")));
        self.fault = self.fault.take().or(wrong_head).or(wrong_key);
    }
}

impl Verify {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let (mut verification, answer) = match self.target.parse::<RunId>() {
            Ok(run) => by_gateway(&Api::find(config)?, run).await?,
            Err(_) => (by_file(Path::new(&self.target))?, None),
        };
        verification.expect(self.head.as_deref(), self.key.as_deref());
        let Verification { target, checked, events, head, sealed, fault } = &verification;
        let intact = fault.is_none();
        if self.json {
            let local = || json!({"file": target, "checked": checked, "version": events, "headHash": head});
            let mut answer = answer.unwrap_or_else(local);
            (answer["intact"], answer["fault"], answer["sealed"]) = (intact.into(), json!(fault), json!(sealed));
            out::json(&answer)?;
        } else if let Some(fault) = fault {
            out::line(&format!("{target}: NOT intact: {fault}; {checked} of {events} events are valid"))?;
        } else {
            out::line(&format!("{target}: {events} events, hash chain intact; head {head}"))?;
            if let Some(sealed) = sealed {
                let (version, key) = (sealed.version, hex::encode(sealed.seal.public_key));
                let at = sealed.seal.sealed_at_micros.rfc3339();
                out::line(&format!("sealed up to version {version} at {at} by {key}"))?;
            }
        }
        Ok(if intact { Outcome::Done } else { Outcome::Failed })
    }
}

async fn by_gateway(api: &Api, run: RunId) -> anyhow::Result<(Verification, Option<Value>)> {
    let answer = api.get(&format!("/api/pipelines/{run}/verify")).await?;
    // The gateway may not be able to compute the seal of a damaged history.
    let sealed = if answer["intact"] == true { seal_of(api, run).await? } else { None };
    let invalid_seal = sealed.as_ref().and_then(|sealed| Some((sealed.version, sealed.check().err()?)));
    let (number, bad) = (|name: &str| answer[name].as_u64().unwrap_or(0), &answer["firstBad"]);
    let reason = bad["reason"].as_str().unwrap_or("its hash is not the head's");
    let verification = Verification {
        target: run.to_string(),
        checked: number("checked"),
        events: number("version"),
        head: answer["headHash"].as_str().unwrap_or_default().to_owned(),
        sealed: sealed.map(Box::new),
        fault: (answer["intact"] != true)
            .then(|| format!("first bad event is version {}: {reason}", bad["version"]))
            .or_else(|| {
                invalid_seal.map(|(version, error)| format!("the seal of version {version} is invalid: {error}"))
            }),
    };
    Ok((verification, Some(answer)))
}

/// The newest sealed event of the run; `None` while none is sealed.
async fn seal_of(api: &Api, run: RunId) -> anyhow::Result<Option<Sealed>> {
    match api.get(&format!("/api/pipelines/{run}/seal")).await {
        Ok(sealed) => Ok(Some(serde_json::from_value(sealed)?)),
        Err(error) if error.downcast_ref::<ApiError>().is_some_and(|error| error.status == 404) => Ok(None),
        Err(error) => Err(error),
    }
}

fn by_file(path: &Path) -> anyhow::Result<Verification> {
    let unreadable = || format!("{} is not a run id and cannot be read as a file", path.display());
    let mut lines = BufReader::new(File::open(path).with_context(unreadable)?).lines();
    let mut proof = Proof::begin(&lines.next().transpose().with_context(unreadable)?.unwrap_or_default())?;
    let title = proof.title().clone();
    let mut bad: Option<HistoryError> = None;
    for line in lines {
        if let Err(error) = proof.follow(&line.with_context(unreadable)?) {
            bad = Some(error);
            break;
        }
    }
    let checked = proof.checked().0;
    let fault = bad.or_else(|| proof.end().err()).map(|error| error.to_string());
    let (target, head) = (format!("{} ({})", path.display(), title.stream_id), hex::encode(title.head_hash));
    Ok(Verification { target, checked, events: title.events.0, head, sealed: title.sealed, fault })
}

#[derive(Debug, Args)]
pub struct Export {
    #[arg(value_name = "RUN")]
    run: RunId,
    /// File to write; an existing one is not overwritten [default: RUN.ndjson]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Export {
    /// Verifies what it writes; the file gets its name only when it is intact.
    pub async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        let run = self.run;
        let file = self.out.unwrap_or_else(|| format!("{run}.ndjson").into());
        if file.exists() {
            bail!("{} exists already; choose another --out", file.display());
        }
        let mut partial = file.clone().into_os_string();
        partial.push(".part");
        let partial = PathBuf::from(partial);
        let written = write(api, run, &partial).await;
        let renamed = written.and_then(|title| Ok((fs::rename(&partial, &file).map(|()| title))?));
        let title = renamed.inspect_err(|_| drop(fs::remove_file(&partial)))?;
        let head = hex::encode(title.head_hash);
        out::line(&format!("{}: {} events, hash chain intact; head {head}", file.display(), title.events))?;
        Ok(Outcome::Done)
    }
}

async fn write(api: &Api, run: RunId, partial: &Path) -> anyhow::Result<Title> {
    // Read before the head, so that the sealed event is not newer than it.
    let sealed = seal_of(api, run).await?;
    let head = api.get(&format!("/api/pipelines/{run}/verify")).await?;
    let first = api.get_text(&format!("/api/pipelines/{run}/events?limit=1")).await?;
    let tenant = serde_json::from_str::<Value>(&first)?["events"][0]["tenantId"].clone();
    let title = json!({"format": FORMAT, "streamId": run, "tenantId": tenant, "events": head["version"],
        "headHash": head["headHash"], "exportedAt": Micros::now().rfc3339(), "sealed": sealed});
    let title = serde_json::to_string(&serde_json::from_value::<Title>(title).context("the run has no history")?)?;
    let unwritable = || format!("cannot write {}", partial.display());
    let mut file = BufWriter::new(File::create(partial).with_context(unwritable)?);
    let mut proof = Proof::begin(&title)?;
    writeln!(file, "{title}").with_context(unwritable)?;
    let mut cursor = String::new();
    // A running run has more events by now: the file ends at the version of its title.
    while proof.checked() < proof.title().events {
        let text = api.get_text(&format!("/api/pipelines/{run}/events?limit=500{cursor}")).await?;
        let page: Page = serde_json::from_str(&text)?;
        for event in page.events {
            if proof.checked() == proof.title().events {
                break;
            }
            proof.follow(event.get())?;
            writeln!(file, "{}", event.get()).with_context(unwritable)?;
        }
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    file.into_inner().map_err(|e| e.into_error()).and_then(|file| file.sync_all()).with_context(unwritable)?;
    Ok(proof.end()?)
}
