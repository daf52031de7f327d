//! `luci artifact`: the files that a run wrote.

use std::path::PathBuf;

use clap::Subcommand;

use super::{
    Outcome,
    client::Api,
    download, ids,
    out::{Format, List, table::Column},
};
use crate::config::Config;

const COLUMNS: [Column; 6] = [
    Column::text("ARTIFACT", "artifactId"),
    Column::text("TYPE", "artifactType"),
    Column::bytes("SIZE", "sizeBytes"),
    Column::time("CREATED", "createdAt"),
    Column::time("EXPIRED", "expiredAt"),
    Column::text("OBJECT", "objectPath"),
];

#[derive(Debug, Subcommand)]
pub enum Artifact {
    /// List the files of a run, newest first
    List {
        /// Id of the run, or the beginning of it
        #[arg(value_name = "RUN")]
        run: String,
        /// parsed, validated, rejected, enriched, skip-traced, scored, assigned, pushed or failed
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        #[command(flatten)]
        format: Format,
    },
    /// Write a file to standard output, or to the file of --to
    Download {
        /// Id of the run, or the beginning of it
        #[arg(value_name = "RUN")]
        run: String,
        /// Id of the file, or the beginning of it
        #[arg(value_name = "ARTIFACT")]
        artifact: String,
        /// File instead of standard output
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

impl Artifact {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        match self {
            Self::List { run, kind, limit, format } => {
                let run = ids::run(&api, &run).await?;
                let kind: String = url::form_urlencoded::byte_serialize(kind.unwrap_or_default().as_bytes()).collect();
                let kind = if kind.is_empty() { kind } else { format!("?type={kind}") };
                let path = format!("/api/pipelines/{run}/artifacts{kind}");
                let list = List { path: &path, key: "artifacts", columns: &COLUMNS, noun: "artifacts" };
                format.pages(&api, list, limit as usize).await
            }
            Self::Download { run, artifact, to } => {
                let run = ids::run(&api, &run).await?;
                let artifact = ids::of_run(&api, &run, ids::ARTIFACT, &artifact).await?;
                download::to(&api, &format!("/api/pipelines/{run}/artifacts/{artifact}"), to.as_deref()).await
            }
        }
    }
}
