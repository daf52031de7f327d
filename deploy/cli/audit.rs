//! `luci audit`: prints a run's history, and checks that nothing in it was changed.

use clap::Subcommand;
use serde_json::Value;

use super::{Outcome, out};
use crate::{client::Api, config::Config};

#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Every event of a run, in order
    History {
        #[arg(value_name = "RUN")]
        run: String,
        /// Each event whole, as a line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Whether each event's hash follows from the event and from the one before; exit code 1 when one does not
    Verify {
        #[arg(value_name = "RUN")]
        run: String,
        #[arg(long)]
        json: bool,
    },
}

impl Audit {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        match self {
            Self::History { run, json } => history(&api, &run, json).await,
            Self::Verify { run, json } => verify(&api, &run, json).await,
        }
    }
}

async fn history(api: &Api, run: &str, json: bool) -> anyhow::Result<Outcome> {
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/api/pipelines/{run}/events?limit=500{cursor}")).await?;
        for event in page["events"].as_array().into_iter().flatten() {
            if json { out::json(event)? } else { out::line(&in_words(event))? }
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(Outcome::Done),
        }
    }
}

fn in_words(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
    let data = &event["data"];
    let place = ["stage", "blockNumber"].iter().filter_map(|name| match &data[*name] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    });
    let place = place.collect::<Vec<_>>().join(" ");
    let hash: String = text("hash").chars().take(12).collect();
    let at = event["recordedAt"].as_str().map_or_else(|| event["recordedAtMicros"].to_string(), str::to_owned);
    format!("v{:<5} {:<27}  {:<16} {place:<14} {:<34} {hash}", event["version"], at, text("type"), text("actor"))
}

async fn verify(api: &Api, run: &str, json: bool) -> anyhow::Result<Outcome> {
    let answer = api.get(&format!("/api/pipelines/{run}/verify")).await?;
    let intact = answer["intact"] == true;
    if json {
        out::json(&answer)?;
    } else if intact {
        let head = answer["headHash"].as_str().unwrap_or_default();
        out::line(&format!("{run}: {} events, every hash follows; head {head}", answer["checked"]))?;
    } else {
        let (version, reason) = (&answer["firstBad"]["version"], answer["firstBad"]["reason"].as_str());
        let held = format!("{} of {} events hold", answer["checked"], answer["version"]);
        let reason = reason.unwrap_or("it is not what its head names");
        out::line(&format!("{run}: NOT intact; first bad event is version {version}: {reason}; {held}"))?;
    }
    Ok(if intact { Outcome::Done } else { Outcome::Failed })
}
