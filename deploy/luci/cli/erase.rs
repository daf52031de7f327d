//! `luci erase` and `luci person export`: what a person may ask for.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Outcome,
    client::Api,
    out::{self, Format},
};
use crate::config::Config;

/// The person, named by one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Person {
    /// The id of one of the person's leads
    #[arg(long, value_name = "ID")]
    lead: Option<String>,
    /// A phone number, with + and the country code if it is foreign
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    phone: Option<String>,
    /// An e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
}

impl Person {
    /// The field of the API, and its value.
    fn named(&self) -> (&'static str, &str) {
        match (&self.lead, &self.phone, &self.email) {
            (Some(lead), _, _) => ("leadId", lead),
            (None, Some(phone), _) => ("phone", phone),
            (None, None, email) => ("email", email.as_deref().unwrap_or_default()),
        }
    }
}

#[derive(Debug, Args)]
pub struct Erase {
    #[command(flatten)]
    person: Person,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Do not wait until the data is removed
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    format: Format,
}

/// Between two looks at a pending erasure.
const POLL: Duration = Duration::from_secs(1);

impl Erase {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        let (field, value) = self.person.named();
        let answer = api.post("/api/erasures", &json!({field: value, "dryRun": self.dry_run})).await?;
        if self.dry_run {
            return self.would_remove(&answer["wouldRemove"]);
        }
        let id = answer["erasureId"].as_str().unwrap_or_default();
        let mut erasure = answer.clone();
        while !self.no_wait && erasure["status"] != "completed" {
            tokio::time::sleep(POLL).await;
            let page = api.get("/api/erasures?limit=200").await?;
            let all = page["erasures"].as_array().into_iter().flatten();
            erasure = all.into_iter().find(|one| one["erasureId"] == id).cloned().unwrap_or(erasure);
        }
        self.format.one(&erasure, || {
            let count = |name: &str| erasure[name].as_i64().unwrap_or(0);
            let done = match erasure["status"].as_str() {
                Some("completed") => format!("completed: {} objects, {} rows", count("objects"), count("rows")),
                _ => "pending".to_owned(),
            };
            format!("{id} {done}")
        })
    }

    fn would_remove(&self, found: &Value) -> anyhow::Result<Outcome> {
        if !self.format.is_text() {
            return self.format.one(found, String::new);
        }
        for (table, rows) in found["rows"].as_object().into_iter().flatten() {
            out::line(&format!("{rows} rows of {table}"))?;
        }
        for object in found["objects"].as_array().into_iter().flatten() {
            out::line(object.as_str().unwrap_or_default())?;
        }
        Ok(Outcome::Done)
    }
}

#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// Print all that is stored of a person, as JSON
    Export {
        #[command(flatten)]
        person: Person,
    },
}

impl PersonCommand {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let Self::Export { person } = self;
        let (field, value) = person.named();
        let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair(field, value).finish();
        out::json(&Api::find(config)?.get(&format!("/api/people/export?{query}")).await?)?;
        Ok(Outcome::Done)
    }
}
