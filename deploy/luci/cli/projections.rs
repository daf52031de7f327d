//! `luci projections`: shows the position of the read tables and rebuilds them; connects to the database, as operator.

use std::io::IsTerminal;

use anyhow::Context;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use luci_projections::{
    FOLLOWER,
    rebuild::{self, OnDifference},
};
use luci_schema::{
    Position,
    log::{Log, LogOptions, followers},
    migrate::{self, DatabaseRole},
};
use serde_json::json;
use sqlx::PgPool;

use super::{
    Outcome,
    migrate::database_url,
    out::{self, Format},
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum Projections {
    /// Show which version of the read tables serves, and its position
    Status {
        #[command(flatten)]
        format: Format,
    },
    /// Rebuild the tables that do not serve from the log, compare both, and switch to the rebuilt ones without downtime
    Rebuild {
        /// Switch also when the rebuilt tables differ from the serving ones
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        format: Format,
    },
}

/// Operator's access to the database.
pub(super) struct OperatorAccess {
    pub log: Log,
    /// Connections with the projector's database role.
    pub pool: PgPool,
}

impl OperatorAccess {
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let url = database_url(config)?;
        let failed = "cannot connect to the database";
        let log =
            Log::open(migrate::connect(&url, DatabaseRole::Engine, 8).await.context(failed)?, LogOptions::default());
        Ok(Self { log: log.await?, pool: migrate::connect(&url, DatabaseRole::Projector, 4).await.context(failed)? })
    }

    /// A progress bar up to the log's head; hidden unless standard error is a terminal.
    pub fn bar(&self, verb: &str) -> ProgressBar {
        if !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} events {msg}, {eta}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(self.log.head().0).with_style(style).with_message(verb.to_owned())
    }
}

impl Projections {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let access = OperatorAccess::open(config).await?;
        match self {
            Self::Status { format } => status(&access, format).await,
            Self::Rebuild { replace, format } => rebuild_tables(&access, replace, format).await,
        }
    }
}

async fn status(access: &OperatorAccess, format: Format) -> anyhow::Result<Outcome> {
    let mut c = access.pool.acquire().await?;
    let serving = luci_projections::serving(&mut c).await?;
    let head = access.log.newest().await?;
    let projector = followers(&mut c).await?.into_iter().find(|one| one.name == FOLLOWER);
    let position = projector.as_ref().map_or(Position(0), |one| one.position);
    let owner = projector.as_ref().filter(|one| one.held).and_then(|one| one.owner.clone());
    let last_error = projector.and_then(|one| one.last_error);
    let behind = head.0.saturating_sub(position.0);
    if !format.is_text() {
        format.document(
            &json!({"serving": serving, "position": position, "head": head, "behind": behind, "owner": owner,
            "lastError": last_error}),
        )?;
    } else {
        let owner = owner.unwrap_or_else(|| "- (no projector runs)".into());
        out::line(&format!("serving   {serving}\nposition  {position} of {head}, {behind} behind\nowner     {owner}"))?;
        if let Some(error) = &last_error {
            out::line(&format!("error     {error}"))?;
        }
    }
    Ok(if last_error.is_some() { Outcome::Failed } else { Outcome::Done })
}

async fn rebuild_tables(access: &OperatorAccess, replace: bool, format: Format) -> anyhow::Result<Outcome> {
    let on_difference = if replace { OnDifference::Swap } else { OnDifference::Refuse };
    let bar = access.bar("applied");
    let done = rebuild::rebuild(&access.log, &access.pool, luci_projections::all(), on_difference, &|at| {
        bar.set_position(at.0)
    })
    .await;
    bar.finish_and_clear();
    let done = done.map_err(|error| match error {
        rebuild::RebuildError::Differs { .. } => anyhow::Error::from(error)
            .context("`luci audit drift` shows the rows; --replace switches to the rebuilt tables anyway"),
        other => other.into(),
    })?;
    if !format.is_text() {
        format.document(&json!({"serving": done.serving, "position": done.position, "differed": done.differed}))?;
    } else {
        let differed = if done.differed.is_empty() { "nothing differed".into() } else { done.differed.join(", ") };
        out::line(&format!("{} serves from position {}; changed: {differed}", done.serving, done.position))?;
    }
    Ok(Outcome::Done)
}
