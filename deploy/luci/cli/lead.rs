//! `luci lead`: adds leads from JSON, through the API.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use super::{Outcome, client::Api, out};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum Lead {
    /// Add up to 1,000 leads, all or none: a JSON list, or an object with `leads`
    Add {
        /// JSON file; `-` reads standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Skip leads that match a lead of another input by phone, email, or name and address
        #[arg(long)]
        skip_existing: bool,
        #[arg(long)]
        json: bool,
    },
}

impl Lead {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let Self::Add { file, skip_existing, json } = self;
        let api = Api::find(config)?;
        let body = body(&read(&file).await?, skip_existing)?;
        let created = api.post("/api/leads", &body).await?;
        if json {
            out::json(&created)?;
            return Ok(Outcome::Done);
        }
        let count = |name: &str| created[name].as_u64().unwrap_or(0);
        let import = created["importId"].as_str().unwrap_or_default();
        out::line(&format!(
            "{import}  {} created, {} existing, {} duplicates, {} skipped",
            count("created"),
            count("existing"),
            count("duplicates"),
            count("leftOut")
        ))?;
        Ok(Outcome::Done)
    }
}

async fn read(file: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    if file.as_os_str() != "-" {
        return tokio::fs::read(file).await.with_context(|| format!("cannot read {}", file.display()));
    }
    let mut text = Vec::new();
    tokio::io::stdin().read_to_end(&mut text).await.context("cannot read standard input")?;
    Ok(text)
}

fn body(text: &[u8], skip_existing: bool) -> anyhow::Result<Value> {
    let mut body: Value = serde_json::from_slice(text).context("the file is not JSON")?;
    if body.is_array() {
        body = json!({"leads": body});
    }
    if skip_existing {
        body["onExisting"] = json!("skip");
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_and_an_object_make_the_same_request() {
        let list = body(br#"[{"email": "a"}]"#, true).unwrap();
        assert_eq!(list, json!({"leads": [{"email": "a"}], "onExisting": "skip"}));
        assert_eq!(body(br#"{"leads": [{"email": "a"}]}"#, true).unwrap(), list);
        assert!(body(b"Company,Phone", false).is_err());
    }
}
