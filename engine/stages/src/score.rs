//! SCORE: how well a lead fits, by a table of factors, as of the year in which the run started.

use futures::{FutureExt, future::BoxFuture};
use luci_leads::{
    Lead,
    score::{
        profile::Profile,
        setting::{self, ProfileSetting},
    },
    store::scoring_profiles,
};
use luci_runs::block::{BlockFault, Progress, Task};
use luci_schema::{FailureCode, Stage, event::BlockReport};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    kind::{StageKind, Tools},
    outcome::{self, Outcome, database_failed},
    settings::{self, BadSetting},
};

pub(super) struct Score;

/// The stage's settings in the blueprint.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    /// A profile in full, or the name and version that were pinned when the run was started.
    scoring_profile: Value,
}

impl StageKind for Score {
    fn stage(&self) -> Stage {
        Stage::Score
    }

    fn check(&self, config: &serde_json::Value) -> Result<(), BadSetting> {
        let Config { scoring_profile } = settings::read(config)?;
        let chosen = setting::parse(&scoring_profile);
        chosen.map(drop).map_err(|(path, why)| BadSetting::new(path, why))
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
    let profile = pinned_profile(task, tools).await?;
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
    if !outcome::stored_later(task) {
        let mut c = tools.pool.acquire().await.map_err(database_failed)?;
        outcome::store_leads(&mut c, task.tenant, &done).await.map_err(database_failed)?;
    }
    outcome.finish().await
}

/// The profile that the run pinned, else the built-in one.
async fn pinned_profile(task: &Task, tools: &Tools) -> Result<Profile, BlockFault> {
    let Config { scoring_profile } =
        settings::read(&task.spec.config).map_err(|bad| outcome::bad_setting(task, &bad))?;
    let wrong = |why: &str| {
        let message = format!("settings of stage {}: {}: {why}", task.spec.name, setting::SETTING);
        BlockFault::new(FailureCode::Validation, message)
    };
    match setting::parse(&scoring_profile).map_err(|(_, why)| wrong(&why))? {
        ProfileSetting::Unset => Ok(Profile::default()),
        ProfileSetting::Inline(profile) => Ok(*profile),
        ProfileSetting::Named(named) => {
            // The newest version changes; the one that a run scores by must not.
            let version = named.version.ok_or_else(|| wrong("no version was pinned"))?;
            let mut c = tools.pool.acquire().await.map_err(database_failed)?;
            let found =
                scoring_profiles::get(&mut c, task.tenant, &named.name, version).await.map_err(database_failed)?;
            found.ok_or_else(|| wrong(&format!("there is no profile {named}")))
        }
    }
}
