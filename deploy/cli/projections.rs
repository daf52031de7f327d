//! `luci projections`: how far the read tables are, and folding them anew. On the database, as operator.

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
    migrate::{self, Role},
};
use serde_json::json;
use sqlx::PgPool;

use super::{Outcome, migrate::database_url, out};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum Projections {
    /// Which version of the read tables serves, and how far it is
    Status {
        #[arg(long)]
        json: bool,
    },
    /// Folds the log into the tables that do not serve, compares both, and serves the new ones without a failed read
    Rebuild {
        /// Serve the new tables also when they differ from the old; refused otherwise
        #[arg(long)]
        replace: bool,
        #[arg(long)]
        json: bool,
    },
}

/// The log, and the read tables as their projector sees them.
pub(super) struct Ground {
    pub log: Log,
    pub pool: PgPool,
}

impl Ground {
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let url = database_url(config)?;
        let cannot = "the database cannot be reached";
        let log = Log::open(migrate::connect(&url, Role::Engine, 8).await.context(cannot)?, LogOptions::default());
        Ok(Self { log: log.await?, pool: migrate::connect(&url, Role::Projector, 4).await.context(cannot)? })
    }

    /// Positions up to the log's end, on a terminal.
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
        let ground = Ground::open(config).await?;
        match self {
            Self::Status { json } => status(&ground, json).await,
            Self::Rebuild { replace, json } => anew(&ground, replace, json).await,
        }
    }
}

async fn status(ground: &Ground, json: bool) -> anyhow::Result<Outcome> {
    let mut c = ground.pool.acquire().await?;
    let serving = rebuild::serving(&mut c).await?;
    let head = ground.log.newest().await?;
    let projector = followers(&mut c).await?.into_iter().find(|one| one.name == FOLLOWER);
    let position = projector.as_ref().map_or(Position(0), |one| one.position);
    let owner = projector.as_ref().filter(|one| one.held).and_then(|one| one.owner.clone());
    let why = projector.and_then(|one| one.last_error);
    let behind = head.0.saturating_sub(position.0);
    if json {
        out::json(&json!({"serving": serving, "position": position, "head": head, "behind": behind, "owner": owner,
            "lastError": why}))?;
    } else {
        let owner = owner.unwrap_or_else(|| "nobody: no projector runs".into());
        out::line(&format!("serving   {serving}\nposition  {position} of {head}, {behind} behind\nfolded by {owner}"))?;
        if let Some(why) = &why {
            out::line(&format!("stands still: {why}"))?;
        }
    }
    Ok(if why.is_some() { Outcome::Failed } else { Outcome::Done })
}

async fn anew(ground: &Ground, replace: bool, json: bool) -> anyhow::Result<Outcome> {
    let on_difference = if replace { OnDifference::Swap } else { OnDifference::Refuse };
    let bar = ground.bar("folded");
    let done = rebuild::rebuild(&ground.log, &ground.pool, on_difference, &|at| bar.set_position(at.0)).await;
    bar.finish_and_clear();
    let done = done.map_err(|error| match error {
        rebuild::RebuildError::Differs { .. } => {
            anyhow::Error::from(error).context("--replace serves them; `luci audit drift` shows the rows")
        }
        other => other.into(),
    })?;
    if json {
        out::json(&json!({"serving": done.serving, "position": done.position, "differed": done.differed}))?;
    } else {
        let differed = if done.differed.is_empty() { "nothing differed".into() } else { done.differed.join(", ") };
        out::line(&format!("{} serves from position {}; changed: {differed}", done.serving, done.position))?;
    }
    Ok(Outcome::Done)
}
