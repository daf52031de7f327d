//! `luci audit verify`: verifies a run through the gateway, an exported file locally, or with `--all` everything as operator.

use std::{fs::File, path::Path};

use anyhow::Context;
use clap::Args;
use luci_schema::{
    RunId,
    history::{self, LastSealed, Scope, Verdict},
    seal::Sealed,
};
use serde_json::{Value, json};

use super::all;
use crate::{
    cli::{
        Outcome,
        client::{Api, ApiError},
        ids,
        out::{self, Format},
    },
    config::Config,
};

#[derive(Debug, Args)]
pub struct Verify {
    /// Run, which the gateway verifies, or file of `luci audit export`, which is verified locally
    #[arg(value_name = "RUN|FILE", required_unless_present = "all")]
    target: Option<String>,
    /// As operator: every stream, head, receipts, seals, EVT and the store, in one pass
    #[arg(long, conflicts_with_all = ["target", "head", "strict"])]
    all: bool,
    /// With --all: do not compare with stream EVT and the seals at the broker
    #[arg(long, requires = "all")]
    without_broker: bool,
    /// Expected hash of the last event
    #[arg(long, value_name = "HASH", value_parser = hex_of_32)]
    head: Option<String>,
    /// Public key that must have sealed the events; may be given again for the keys before it
    #[arg(long, value_name = "HEX", value_parser = hex_of_32)]
    key: Vec<String>,
    /// Exit code 1 also when a part of the file is proved by nothing
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    format: Format,
}

impl Verify {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let Some(target) = &self.target else {
            return all::run(config, &self.key, self.without_broker, self.format).await;
        };
        let file = Path::new(target);
        if let Ok(run) = target.parse::<RunId>() {
            return self.by_gateway(&Api::find(config)?, run).await;
        }
        // The beginning of an id; a file of that name comes first.
        if !file.exists() && target.starts_with("run_") && !target.contains(['.', '/']) {
            let api = Api::find(config)?;
            let run = ids::run(&api, target).await?.parse()?;
            return self.by_gateway(&api, run).await;
        }
        self.by_file(file)
    }

    fn by_file(&self, path: &Path) -> anyhow::Result<Outcome> {
        let unreadable = || format!("{} is not a run id and cannot be read as a file", path.display());
        let file = File::open(path).with_context(unreadable)?;
        let mut verdict = history::verify(file).with_context(unreadable)?;
        verdict.expect(self.head.as_deref(), &self.key);
        if !self.format.is_text() {
            self.format.document(&as_json(path, &verdict))?;
        } else {
            as_lines(path, &verdict).iter().try_for_each(|line| out::line(line))?;
        }
        let done = if self.strict { verdict.is_proved() } else { verdict.is_intact() };
        Ok(if done { Outcome::Done } else { Outcome::Failed })
    }

    async fn by_gateway(&self, api: &Api, run: RunId) -> anyhow::Result<Outcome> {
        let mut answer = api.get(&format!("/api/pipelines/{run}/verify")).await?;
        // The gateway may not be able to compute the seal of a damaged history.
        let sealed = if answer["intact"] == true { seal_of(api, run).await? } else { None };
        let fault = fault_of(&answer).or_else(|| self.unexpected(&answer, sealed.as_ref()));
        let (number, head) = (|name: &str| answer[name].as_u64().unwrap_or(0), answer["headHash"].as_str());
        let head = head.unwrap_or_default();
        if !self.format.is_text() {
            (answer["intact"], answer["fault"]) = (fault.is_none().into(), json!(fault));
            answer["sealed"] = json!(sealed);
            self.format.document(&answer)?;
        } else if let Some(fault) = &fault {
            let (checked, events) = (number("checked"), number("version"));
            out::line(&format!("{run}: NOT intact: {fault}; {checked} of {events} events are valid"))?;
        } else {
            out::line(&format!("{run}: {} events, hash chain intact; head {head}", number("version")))?;
            if let Some(Sealed { version, position, seal, .. }) = sealed {
                out::line(&sealed_line(&LastSealed { version, position, seal }))?;
            }
        }
        Ok(if fault.is_none() { Outcome::Done } else { Outcome::Failed })
    }

    /// Why an intact history is not what the caller expects, or its seal is invalid.
    fn unexpected(&self, answer: &Value, sealed: Option<&Sealed>) -> Option<String> {
        if let Some((sealed, error)) = sealed.and_then(|sealed| Some((sealed, sealed.check().err()?))) {
            return Some(format!("the seal of version {} is invalid: {error}", sealed.version));
        }
        let found = answer["headHash"].as_str().unwrap_or_default();
        if let Some(expected) = self.head.as_ref().filter(|expected| *expected != found) {
            return Some(format!("the last event's hash is {found}, not {expected}"));
        }
        let key = sealed.map_or_else(|| "nobody".to_owned(), |sealed| hex::encode(sealed.seal.public_key));
        let wanted = !self.key.is_empty() && !self.key.contains(&key);
        wanted.then(|| format!("it is sealed by {key}, not {}", self.key.join(" or ")))
    }
}

/// A hash or a public key: 32 bytes, in lower case.
fn hex_of_32(text: &str) -> Result<String, String> {
    match hex::decode(text) {
        Ok(bytes) if bytes.len() == 32 => Ok(text.to_ascii_lowercase()),
        _ => Err("expected 64 hexadecimal digits".to_owned()),
    }
}

/// What the gateway found wrong.
fn fault_of(answer: &Value) -> Option<String> {
    let bad = &answer["firstBad"];
    let reason = bad["reason"].as_str().unwrap_or("its hash is not the head's");
    (answer["intact"] != true).then(|| format!("first bad event is version {}: {reason}", bad["version"]))
}

/// The newest sealed event of the run; `None` while none is sealed.
async fn seal_of(api: &Api, run: RunId) -> anyhow::Result<Option<Sealed>> {
    match api.get(&format!("/api/pipelines/{run}/seal")).await {
        Ok(sealed) => Ok(Some(serde_json::from_value(sealed)?)),
        Err(error) if error.downcast_ref::<ApiError>().is_some_and(|error| error.status == 404) => Ok(None),
        Err(error) => Err(error),
    }
}

fn as_json(path: &Path, verdict: &Verdict) -> Value {
    let fault = verdict.fault.as_ref().map(ToString::to_string);
    json!({"file": path.display().to_string(), "format": verdict.format, "checked": verdict.checked,
        "version": verdict.checked, "headHash": hex::encode(verdict.head), "intact": verdict.is_intact(), "fault": fault,
        "sealed": verdict.sealed, "notCovered": verdict.not_covered, "proved": verdict.is_proved()})
}

/// The verdict as text.
fn as_lines(path: &Path, verdict: &Verdict) -> Vec<String> {
    let what = match verdict.scope {
        Some(Scope::Stream { stream, .. }) => format!(" ({stream})"),
        Some(Scope::Tenant { tenant, from, to }) => format!(" ({tenant}, positions {from} to {to})"),
        Some(Scope::Range { from, to }) => format!(" (positions {from} to {to})"),
        None => String::new(),
    };
    let file = format!("{}{what}", path.display());
    let (events, head) = (verdict.checked, hex::encode(verdict.head));
    if let Some(fault) = &verdict.fault {
        return vec![format!("{file}: NOT intact: {fault}; the {events} events before it are valid")];
    }
    let mut lines = vec![format!("{file}: {events} events, hash chain intact; head {head}")];
    lines.extend(verdict.sealed.as_ref().map(sealed_line));
    lines.extend(verdict.not_covered.iter().map(|one| format!("not covered: {}: {}", one.part, one.why)));
    lines
}

fn sealed_line(sealed: &LastSealed) -> String {
    let (seal, version) = (&sealed.seal, sealed.version);
    let (at, key) = (seal.sealed_at_micros.rfc3339(), hex::encode(seal.public_key));
    format!("sealed up to version {version} at {at} by {key}")
}
