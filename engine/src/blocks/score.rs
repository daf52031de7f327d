//! SCORE: how well a lead fits, by a table of factors, as of the year in which the run started.

use futures::{FutureExt, future::BoxFuture};
use luci_schema::{Stage, event::BlockReport};
use serde::Deserialize;

use super::outcome::{self, Outcome, database_failed};
use crate::{
    block::{BlockFault, BlockKind, Progress, Task, Tools},
    lead::{Lead, score::Profile},
};

pub(super) struct Score;

/// The stage's settings in the blueprint.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Config {
    /// The tenant's own table of factors.
    scoring_profile: Profile,
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
    let Config { scoring_profile: profile } = outcome::config(task)?;
    let year = task.run_started_at.date_time().year();
    let mut outcome = Outcome::new(task, tools);
    let (mut done, mut sum): (Vec<Lead>, u64) = (Vec::new(), 0);
    for mut lead in outcome::leads(task, tools).await? {
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
