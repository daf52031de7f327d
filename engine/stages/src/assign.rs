//! ASSIGN: which sector a lead belongs to, by the run or by state and SIC code.

use futures::{FutureExt, future::BoxFuture};
use luci_leads::{Lead, store};
use luci_runs::block::{BlockFault, Progress, Task};
use luci_schema::{Stage, event::BlockReport};

use crate::{
    kind::{StageKind, Tools},
    outcome::{self, Outcome, database_failed},
    sector_list,
    settings::{self, BadSetting},
};

pub(super) struct Assign;

impl StageKind for Assign {
    fn stage(&self) -> Stage {
        Stage::Assign
    }

    fn check(&self, config: &serde_json::Value) -> Result<(), BadSetting> {
        settings::none(config)
    }

    fn run<'a>(
        &'a self,
        task: &'a Task,
        tools: &'a Tools,
        _: &'a Progress,
    ) -> BoxFuture<'a, Result<BlockReport, BlockFault>> {
        assign(task, tools).boxed()
    }
}

/// A lead that fits no sector is a no-match and can still be pushed.
async fn assign(task: &Task, tools: &Tools) -> Result<BlockReport, BlockFault> {
    let mut c = tools.pool.acquire().await.map_err(database_failed)?;
    let sectors = store::sectors::index(&mut c, task.tenant).await.map_err(database_failed)?;
    drop(c);
    let mut outcome = Outcome::new(task, tools);
    let leads = outcome::leads(task, tools).await?;
    let mut done: Vec<Lead> = Vec::with_capacity(leads.len());
    for mut lead in leads {
        if task.stop.is_cancelled() {
            break;
        }
        let assigned = sectors.assign(&lead, task.run.sector_id);
        let fits = assigned.sector_id.is_some();
        lead.sector = Some(assigned);
        if fits {
            outcome.success(&lead).await?
        } else {
            outcome.no_match(&lead).await?
        }
        done.push(lead);
    }
    let mut c = tools.pool.acquire().await.map_err(database_failed)?;
    outcome::store_leads(&mut c, task.tenant, &done).await.map_err(database_failed)?;
    drop(c);
    sector_list::add(task, tools, &done).await?;
    outcome.finish().await
}
