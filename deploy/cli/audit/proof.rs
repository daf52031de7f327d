//! `luci audit verify` and `export`: a run's hash chain, checked by the gateway or here, from a file.

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
    cli::{Outcome, out},
    client::{Api, Refused},
    config::Config,
};

#[derive(Debug, Args)]
pub struct Verify {
    /// A run, which the gateway checks, or a file of `luci audit export`, which is checked here
    #[arg(value_name = "RUN|FILE")]
    what: String,
    /// The hash that the last event must have, as it was noted elsewhere
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
    /// The public key that must have sealed the events
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
    #[arg(long)]
    json: bool,
}

/// What was found, whoever looked.
struct Verdict {
    of: String,
    checked: u64,
    events: u64,
    head: String,
    /// The newest event that a seal proves.
    sealed: Option<Box<Sealed>>,
    /// What is wrong; nothing when all hold.
    fault: Option<String>,
}

impl Verdict {
    /// What the caller knows from elsewhere must agree.
    fn hold_against(&mut self, head: Option<&str>, key: Option<&str>) {
        let sealed_by = self.sealed.as_ref().map(|sealed| hex::encode(sealed.seal.public_key));
        let other = |found: &str, wanted: Option<&str>| wanted.filter(|wanted| *wanted != found).map(str::to_owned);
        let wrong_head =
            other(&self.head, head).map(|wanted| format!("the last event's hash is {}, not {wanted}", self.head));
        let wrong_key = other(sealed_by.as_deref().unwrap_or("nobody"), key)
            .map(|wanted| format!("it is sealed by {}, not {wanted}", sealed_by.as_deref().unwrap_or("nobody")));
        self.fault = self.fault.take().or(wrong_head).or(wrong_key);
    }
}

impl Verify {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let (mut verdict, answer) = match self.what.parse::<RunId>() {
            Ok(run) => by_gateway(&Api::find(config)?, run).await?,
            Err(_) => (in_file(Path::new(&self.what))?, None),
        };
        verdict.hold_against(self.head.as_deref(), self.key.as_deref());
        let Verdict { of, checked, events, head, sealed, fault } = &verdict;
        let intact = fault.is_none();
        if self.json {
            let own = || json!({"file": of, "checked": checked, "version": events, "headHash": head});
            let mut answer = answer.unwrap_or_else(own);
            (answer["intact"], answer["fault"], answer["sealed"]) = (intact.into(), json!(fault), json!(sealed));
            out::json(&answer)?;
        } else if let Some(fault) = fault {
            out::line(&format!("{of}: NOT intact; {fault}; {checked} of {events} events hold"))?;
        } else {
            out::line(&format!("{of}: {events} events, every hash follows; head {head}"))?;
            if let Some(sealed) = sealed {
                let (version, key) = (sealed.version, hex::encode(sealed.seal.public_key));
                let at = sealed.seal.sealed_at_micros.rfc3339();
                out::line(&format!("sealed up to version {version} at {at} by {key}"))?;
            }
        }
        Ok(if intact { Outcome::Done } else { Outcome::Failed })
    }
}

async fn by_gateway(api: &Api, run: RunId) -> anyhow::Result<(Verdict, Option<Value>)> {
    let answer = api.get(&format!("/api/pipelines/{run}/verify")).await?;
    // Of a damaged history it may not even be told.
    let sealed = if answer["intact"] == true { seal_of(api, run).await? } else { None };
    let unproved = sealed.as_ref().and_then(|sealed| Some((sealed.version, sealed.check().err()?)));
    let (number, bad) = (|name: &str| answer[name].as_u64().unwrap_or(0), &answer["firstBad"]);
    let reason = bad["reason"].as_str().unwrap_or("it is not what its head names");
    let verdict = Verdict {
        of: run.to_string(),
        checked: number("checked"),
        events: number("version"),
        head: answer["headHash"].as_str().unwrap_or_default().to_owned(),
        sealed: sealed.map(Box::new),
        fault: (answer["intact"] != true)
            .then(|| format!("first bad event is version {}: {reason}", bad["version"]))
            .or_else(|| {
                unproved.map(|(version, error)| format!("the seal of version {version} proves nothing: {error}"))
            }),
    };
    Ok((verdict, Some(answer)))
}

/// The newest event of the run that is under a seal; `None` while there is none.
async fn seal_of(api: &Api, run: RunId) -> anyhow::Result<Option<Sealed>> {
    match api.get(&format!("/api/pipelines/{run}/seal")).await {
        Ok(sealed) => Ok(Some(serde_json::from_value(sealed)?)),
        Err(error) if error.downcast_ref::<Refused>().is_some_and(|refused| refused.status == 404) => Ok(None),
        Err(error) => Err(error),
    }
}

fn in_file(path: &Path) -> anyhow::Result<Verdict> {
    let cannot = || format!("{} is no run and cannot be read as a file", path.display());
    let mut lines = BufReader::new(File::open(path).with_context(cannot)?).lines();
    let mut proof = Proof::begin(&lines.next().transpose().with_context(cannot)?.unwrap_or_default())?;
    let title = proof.title().clone();
    let mut bad: Option<HistoryError> = None;
    for line in lines {
        if let Err(error) = proof.follow(&line.with_context(cannot)?) {
            bad = Some(error);
            break;
        }
    }
    let checked = proof.checked().0;
    let fault = bad.or_else(|| proof.end().err()).map(|error| error.to_string());
    let (of, head) = (format!("{} ({})", path.display(), title.stream_id), hex::encode(title.head_hash));
    Ok(Verdict { of, checked, events: title.events.0, head, sealed: title.sealed, fault })
}

#[derive(Debug, Args)]
pub struct Export {
    #[arg(value_name = "RUN")]
    run: RunId,
    /// RUN.ndjson when absent; never overwritten
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Export {
    /// Checks what it writes; what does not hold is no file in the end.
    pub async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        let run = self.run;
        let file = self.out.unwrap_or_else(|| format!("{run}.ndjson").into());
        if file.exists() {
            bail!("{} exists already and is not overwritten", file.display());
        }
        let mut half = file.clone().into_os_string();
        half.push(".part");
        let half = PathBuf::from(half);
        let written = write(api, run, &half).await;
        let moved = written.and_then(|title| Ok((fs::rename(&half, &file).map(|()| title))?));
        let title = moved.inspect_err(|_| drop(fs::remove_file(&half)))?;
        let head = hex::encode(title.head_hash);
        out::line(&format!("{}: {} events, every hash follows; head {head}", file.display(), title.events))?;
        Ok(Outcome::Done)
    }
}

async fn write(api: &Api, run: RunId, half: &Path) -> anyhow::Result<Title> {
    // Asked first: what is sealed then is no newer than the head.
    let sealed = seal_of(api, run).await?;
    let head = api.get(&format!("/api/pipelines/{run}/verify")).await?;
    let first = api.text(&format!("/api/pipelines/{run}/events?limit=1")).await?;
    let tenant = serde_json::from_str::<Value>(&first)?["events"][0]["tenantId"].clone();
    let title = json!({"format": FORMAT, "streamId": run, "tenantId": tenant, "events": head["version"],
        "headHash": head["headHash"], "exportedAt": Micros::now().rfc3339(), "sealed": sealed});
    let title = serde_json::to_string(&serde_json::from_value::<Title>(title).context("the run has no history")?)?;
    let cannot = || format!("{} cannot be written", half.display());
    let mut file = BufWriter::new(File::create(half).with_context(cannot)?);
    let mut proof = Proof::begin(&title)?;
    writeln!(file, "{title}").with_context(cannot)?;
    let mut cursor = String::new();
    // A run that goes on has more by now: the file ends where its title says.
    while proof.checked() < proof.title().events {
        let text = api.text(&format!("/api/pipelines/{run}/events?limit=500{cursor}")).await?;
        let page: Page = serde_json::from_str(&text)?;
        for event in page.events {
            if proof.checked() == proof.title().events {
                break;
            }
            proof.follow(event.get())?;
            writeln!(file, "{}", event.get()).with_context(cannot)?;
        }
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    file.into_inner().map_err(|e| e.into_error()).and_then(|file| file.sync_all()).with_context(cannot)?;
    Ok(proof.end()?)
}
