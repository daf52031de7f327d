//! `luci import`: uploads a CSV of leads to a URL that the gateway signs, and starts a run on it.

use std::{io::IsTerminal, path::PathBuf};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{
    Outcome,
    client::Api,
    out::{self, Format},
    run_options::Options,
    run_start, upload_parts, watch,
};
use crate::{config::Config, process::telemetry};

#[derive(Debug, Args)]
pub struct Import {
    /// CSV file; `-` reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Name of the file, for lists [default: that of FILE]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Sector that the leads are assigned to
    #[arg(long, value_name = "SECTOR")]
    sector: Option<String>,
    /// Encoding of the file, like windows-1251; detected by default
    #[arg(long, value_name = "LABEL")]
    encoding: Option<String>,
    /// comma, semicolon, tab, pipe, or one character
    #[arg(long, value_name = "DELIMITER")]
    delimiter: Option<String>,
    /// auto, none, or the line of the header
    #[arg(long, value_name = "LINE")]
    header: Option<String>,
    /// HEADER=FIELD; FIELD may be `extra` or `ignore`. Repeatable
    #[arg(long = "map", value_name = "HEADER=FIELD", value_parser = header_and_field)]
    mapping: Vec<(String, String)>,
    /// Use the mapping for later files too
    #[arg(long)]
    save_mapping: bool,
    /// Start a run on it
    #[arg(long)]
    start: bool,
    /// Start a run and follow it to its end; exit code 1 unless it completes
    #[arg(long)]
    watch: bool,
    /// Start a run although one was started on the same file before
    #[arg(long)]
    allow_repeat: bool,
    #[command(flatten)]
    options: Options,
    /// Start without a question, for all rows of the file
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    format: Format,
}

impl Import {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        let import = self.upload(&api).await?;
        if !self.start && !self.watch {
            return self.print(&import);
        }
        if self.format.is_text() {
            described(&import).iter().for_each(|line| telemetry::notice(out::escaped(line)));
        }
        let mut body =
            json!({"importId": import["importId"], "options": self.options.body(), "allowRepeat": self.allow_repeat});
        if let Some(name) = run_start::import_name(&import) {
            body["pipelineName"] = json!(name);
        }
        if let Some(sector) = &self.sector {
            body["sectorId"] = json!(sector);
        }
        if !self.agreed(&api, &import, &mut body).await? {
            return Ok(Outcome::Failed);
        }
        let run = run_start::start(&api, &body, None).await?;
        if !self.watch {
            return self.format.one(&json!({"runId": run}), || run.clone());
        }
        watch::to_end(&api, &run, self.format).await
    }

    async fn upload(&self, api: &Api) -> anyhow::Result<Value> {
        if self.file.as_os_str() != "-" {
            return upload(api, &self.file, self.name.as_deref(), &self.layout()).await;
        }
        // The size is part of the upload's signature, so the whole input has to be there first.
        let mut input = tempfile::NamedTempFile::new().context("cannot keep standard input")?;
        std::io::copy(&mut std::io::stdin().lock(), &mut input).context("cannot read standard input")?;
        let name = self.name.as_deref().unwrap_or("stdin.csv");
        upload(api, input.path(), Some(name), &self.layout()).await
    }

    /// On a terminal, shows the estimate and asks; the run then takes all rows of the file. So it does with `--yes`. Else the
    /// limit of the API holds.
    async fn agreed(&self, api: &Api, import: &Value, body: &mut Value) -> anyhow::Result<bool> {
        let asks = !self.yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if self.options.max_leads.is_none() && (self.yes || asks) {
            body["options"]["maxLeads"] = json!(import["rows"].as_u64().unwrap_or(1).max(1));
        }
        if !asks {
            return Ok(true);
        }
        let estimate = api.post("/api/pipelines/estimate", body).await?;
        telemetry::notice(format_args!("{}\nStart the run? [y/N]", run_start::estimate_text(&estimate)));
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        let agreed = ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
        if !agreed {
            telemetry::notice(format_args!(
                "not started; the import {} is kept",
                import["importId"].as_str().unwrap_or_default()
            ));
        }
        Ok(agreed)
    }

    fn print(&self, import: &Value) -> anyhow::Result<Outcome> {
        self.format.one(import, || {
            let id = import["importId"].as_str().unwrap_or_default();
            let rows = out::counted(import["rows"].as_u64().unwrap_or_default(), "row");
            let lines = std::iter::once(format!("{id}  {rows}")).chain(described(import));
            lines.collect::<Vec<_>>().join("\n")
        })
    }

    /// What the caller says about the file, as the API takes it.
    fn layout(&self) -> Value {
        let mut layout = json!({});
        let options = [("encoding", &self.encoding), ("delimiter", &self.delimiter), ("header", &self.header)];
        for (name, value) in options {
            value.iter().for_each(|value| layout[name] = json!(value));
        }
        for (header, field) in &self.mapping {
            layout["mapping"][header] = json!(field);
        }
        if self.save_mapping {
            layout["saveMapping"] = json!(true);
        }
        layout
    }
}

fn header_and_field(text: &str) -> Result<(String, String), String> {
    let (header, field) = text.rsplit_once('=').ok_or("expected HEADER=FIELD")?;
    Ok((header.to_owned(), field.to_owned()))
}

/// How the file was read: encoding, samples, and how each column is handled.
fn described(import: &Value) -> Vec<String> {
    let (summary, preview) = (&import["summary"], &import["preview"]);
    let texts = |list: &Value| {
        let items = list.as_array().into_iter().flatten();
        items.filter_map(Value::as_str).map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", ")
    };
    let mut lines = vec![format!("  {}", summary["encoding"].as_str().unwrap_or("?"))];
    let samples = texts(&preview["encodingSamples"]);
    if !samples.is_empty() {
        lines[0].push_str(&format!(", read so: {samples}"));
    }
    for column in preview["columns"].as_array().into_iter().flatten() {
        let header = column["header"].as_str().unwrap_or_default();
        let target = column["field"].as_str().or(column["status"].as_str()).unwrap_or_default();
        lines.push(format!("  {header:?} -> {target}  {}", texts(&column["samples"])));
    }
    let rows = |name: &str| summary[name].as_u64().filter(|count| *count > 0).map(|count| out::counted(count, "row"));
    if let Some(refused) = rows("malformedRows") {
        lines.push(format!("  {refused} refused"));
        lines.extend(preview["refusedRows"].as_array().into_iter().flatten().map(refused_row));
    }
    lines.extend(rows("shortRows").map(|padded| format!("  {padded} padded")));
    lines
}

/// Where one is, and what is wrong with it.
fn refused_row(row: &Value) -> String {
    let word = |name: &str| row[name].as_str().filter(|word| !word.is_empty());
    let mut text = format!("    line {}", row["line"]);
    for part in [word("reason"), word("hint")].into_iter().flatten() {
        text.push_str(&format!(": {part}"));
    }
    text
}

/// Creates an upload, sends the file, and completes the upload; a large file goes in parts, and continues an upload that was
/// interrupted. Returns the completed import.
/// `name` is the file's own by default.
pub async fn upload(api: &Api, file: &std::path::Path, name: Option<&str>, layout: &Value) -> anyhow::Result<Value> {
    let own = file.file_name().with_context(|| format!("{} has no file name", file.display()))?.to_string_lossy();
    let name = name.unwrap_or(&own);
    let metadata = tokio::fs::metadata(file).await.with_context(|| format!("cannot read {}", file.display()))?;
    anyhow::ensure!(metadata.is_file(), "{} is not a file", file.display());
    anyhow::ensure!(metadata.len() > 0, "{} is empty", file.display());
    let bar = bar(metadata.len());
    if metadata.len() > upload_parts::MORE_THAN {
        let import = upload_parts::upload(api, (file, name, metadata.len()), layout, &bar).await;
        bar.finish_and_clear();
        return import;
    }
    let request = json!({"fileName": name, "sizeBytes": metadata.len(), "contentType": "text/csv"});
    let upload = api.post("/api/uploads", &request).await?;
    let text = |name: &str| upload[name].as_str().map(str::to_owned);
    let import = text("importId").context("the gateway's response lacks `importId`")?;
    let url = text("url").context("the gateway's response lacks `url`")?;
    let progress = bar.clone();
    api.upload(&url, file, "text/csv", move |bytes| progress.inc(bytes)).await?;
    bar.finish_and_clear();
    api.post(&format!("/api/uploads/{import}/complete"), layout).await
}

/// Hidden unless standard error is a terminal.
fn bar(bytes: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("     upload {bar:32} {bytes:>8}/{total_bytes} {eta}");
    ProgressBar::new(bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
