//! `luci retention`: how long objects are kept, by domain.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    Outcome, UsageError,
    client::Api,
    out::{self, Format},
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum Retention {
    /// Show the days of each domain, and those that are suggested
    Show {
        #[command(flatten)]
        format: Format,
    },
    /// Keep the objects of a domain for so many days
    Set {
        /// artifacts, imports, recordings, reports, sectors or webhooks
        domain: String,
        /// From 1 to 36500
        #[arg(value_parser = clap::value_parser!(u32).range(1..=36_500))]
        days: u32,
    },
    /// Keep the objects of a domain for ever
    Off {
        /// artifacts, imports, recordings, reports, sectors or webhooks
        domain: String,
    },
    /// Show what would be removed now
    Report {
        #[command(flatten)]
        format: Format,
    },
}

impl Retention {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        match self {
            Self::Show { format } => show(&api.get("/api/retention").await?, format),
            Self::Set { domain, days } => change(&api, &domain, Some(days)).await,
            Self::Off { domain } => change(&api, &domain, None).await,
            Self::Report { format } => report(&api.post("/api/retention/report", &json!({})).await?, format),
        }
    }
}

fn show(rules: &Value, format: Format) -> anyhow::Result<Outcome> {
    if !format.is_text() {
        return format.one(rules, String::new);
    }
    for (domain, suggested) in rules["suggested"].as_object().into_iter().flatten() {
        let kept = rules["days"][domain].as_u64().map_or("for ever".to_owned(), |days| format!("{days} days"));
        out::line(&format!("{domain}: {kept} (suggested: {suggested} days)"))?;
    }
    Ok(Outcome::Done)
}

async fn change(api: &Api, domain: &str, days: Option<u32>) -> anyhow::Result<Outcome> {
    let found = api.get("/api/retention").await?;
    if let Some(domains) = found["suggested"].as_object().filter(|domains| !domains.contains_key(domain)) {
        let known = domains.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        return Err(UsageError(format!("`{domain}` is not a domain: expected one of {known}")).into());
    }
    let mut rules = found["days"].clone();
    if let Some(rules) = rules.as_object_mut() {
        match days {
            Some(days) => drop(rules.insert(domain.to_owned(), days.into())),
            None => drop(rules.remove(domain)),
        }
    }
    api.put("/api/retention", &json!({"days": rules})).await?;
    out::line(&match days {
        Some(days) => format!("{domain}: {days} days"),
        None => format!("{domain}: for ever"),
    })?;
    Ok(Outcome::Done)
}

fn report(found: &Value, format: Format) -> anyhow::Result<Outcome> {
    if !format.is_text() {
        return format.one(found, String::new);
    }
    let domains = found["wouldRemove"].as_object();
    if domains.is_none_or(serde_json::Map::is_empty) {
        out::line("no domain has a limit: nothing would be removed")?;
    }
    for (domain, report) in domains.into_iter().flatten() {
        let number = |name: &str| report[name].as_u64().unwrap_or(0);
        let (objects, bytes, needed) = (number("objects"), number("sizeBytes"), number("needed"));
        out::line(&format!("{domain}: {objects} objects, {bytes} bytes; {needed} old enough are still needed"))?;
    }
    Ok(Outcome::Done)
}
