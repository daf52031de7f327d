//! SCORE: how well a lead fits, by a table of factors, as of the year in which the run started.

use futures::{FutureExt, future::BoxFuture};
use luci_schema::{FailureCode, Stage, event::BlockReport};
use serde::Deserialize;
use serde_json::Value;

use super::outcome::{self, Outcome, database_failed};
use crate::{
    admin::scoring,
    block::{BlockFault, BlockKind, Progress, Task, Tools},
    lead::{
        Lead,
        profile::{self, Chosen},
        score::Profile,
    },
};

pub(super) struct Score;

/// The stage's settings in the blueprint.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Config {
    /// A profile in full, or the name and version that were pinned when the run was started.
    scoring_profile: Value,
}

impl BlockKind for Score {
    fn stage(&self) -> Stage {
        Stage::Score
    }

    fn provider(&self, _: &Task) -> String {
        "internal".into()
    }

    fn outside(&self) -> bool {
        false
    }

    fn check(&self, config: &serde_json::Value) -> Result<(), String> {
        outcome::settings::<Config>(config).map(drop)
    }

    fn run<'a>(
        &'a self,
        task: &'a Task,
        tools: &'a Tools,
        _: &'a Progress,
    ) -> BoxFuture<'a, Result<BlockReport, BlockFault>> {
        score(task, tools).boxed()
    }
}

async fn score(task: &Task, tools: &Tools) -> Result<BlockReport, BlockFault> {
    let profile = profile(task, tools).await?;
    let year = task.run_started_at.date_time().year();
    let mut outcome = Outcome::new(task, tools);
    let leads = outcome::leads(task, tools).await?;
    let (mut done, mut sum): (Vec<Lead>, u64) = (Vec::with_capacity(leads.len()), 0);
    for mut lead in leads {
        if task.stop.is_cancelled() {
            break;
        }
        let scored = profile.score(&lead, year);
        sum += u64::from(scored.score);
        lead.scored = Some(scored);
        outcome.success(&lead).await?;
        done.push(lead);
    }
    outcome.report().score_sum = Some(sum);
    if !task.booked_later() {
        let mut c = tools.pool.acquire().await.map_err(database_failed)?;
        outcome::book(&mut c, task.tenant, &done).await.map_err(database_failed)?;
    }
    outcome.finish().await
}

/// The profile that the run pinned; without any, the software's own.
async fn profile(task: &Task, tools: &Tools) -> Result<Profile, BlockFault> {
    let Config { scoring_profile } = outcome::config(task)?;
    let wrong = |why: &str| {
        let message = format!("the settings of stage {}: {}: {why}", task.spec.name, profile::SETTING);
        BlockFault::new(FailureCode::Validation, message)
    };
    match profile::chosen(&scoring_profile).map_err(|(_, why)| wrong(&why))? {
        Chosen::Nothing => Ok(Profile::default()),
        Chosen::Own(own) => Ok(*own),
        Chosen::Named(named) => {
            // Which version is newest changes; what a run scores by must not.
            let version = named.version.ok_or_else(|| wrong("no version was pinned"))?;
            let mut c = tools.pool.acquire().await.map_err(database_failed)?;
            let found = scoring::get(&mut c, task.tenant, &named.name, version).await.map_err(database_failed)?;
            found.ok_or_else(|| wrong(&format!("there is no profile {named}")))
        }
    }
}
