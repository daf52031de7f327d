//! `luci import`: uploads a CSV of leads to the address that the gateway signs for it, and starts a run on it.

use std::{io::IsTerminal, path::PathBuf};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{
    Outcome, out,
    run::{self, Options},
};
use crate::{client::Api, config::Config};

#[derive(Debug, Args)]
pub struct Import {
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The sector that the leads are assigned to
    #[arg(long, value_name = "SECTOR")]
    sector: Option<String>,
    /// Starts a run on it
    #[arg(long)]
    start: bool,
    /// Starts a run and follows it until it has ended; exit code 1 unless it completed
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    options: Options,
    #[arg(long)]
    json: bool,
}

impl Import {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        let import = upload(&api, &self.file).await?;
        if !self.start && !self.watch {
            self.say(&import)?;
            return Ok(Outcome::Done);
        }
        let mut body = json!({"importId": import["importId"], "options": self.options.body()});
        if let Some(sector) = &self.sector {
            body["sectorId"] = json!(sector);
        }
        let run = run::start(&api, &body, None).await?;
        if !self.watch {
            run::say_run(&run, self.json)?;
            return Ok(Outcome::Done);
        }
        run::watched(&api, &run, self.json).await
    }

    fn say(&self, import: &Value) -> anyhow::Result<()> {
        if self.json {
            return out::json(import);
        }
        let id = import["importId"].as_str().unwrap_or_default();
        out::line(&format!("{id}  {} rows", import["rows"]))
    }
}

/// Announces the file, sends it, and has it verified. Answers the completed import.
pub async fn upload(api: &Api, file: &std::path::Path) -> anyhow::Result<Value> {
    let name = file.file_name().context("a file has a name")?.to_string_lossy();
    let found = tokio::fs::metadata(file).await.with_context(|| format!("{} cannot be read", file.display()))?;
    anyhow::ensure!(found.is_file(), "{} is no file", file.display());
    anyhow::ensure!(found.len() > 0, "{} is empty", file.display());
    let announced = json!({"fileName": name, "sizeBytes": found.len(), "contentType": "text/csv"});
    let upload = api.post("/api/uploads", &announced).await?;
    let text = |name: &str| upload[name].as_str().map(str::to_owned);
    let import = text("importId").context("the gateway named no import")?;
    let url = text("url").context("the gateway gave no address to upload to")?;
    let bar = bar(found.len());
    let told = bar.clone();
    api.put(&url, file, "text/csv", move |bytes| told.inc(bytes)).await?;
    bar.finish_and_clear();
    api.post(&format!("/api/uploads/{import}/complete"), &json!({})).await
}

/// On a terminal only.
fn bar(bytes: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("     upload {bar:32} {bytes:>8}/{total_bytes}");
    ProgressBar::new(bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
