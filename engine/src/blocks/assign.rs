//! ASSIGN: which sector a lead belongs to, by the run or by state and SIC code.

use futures::{FutureExt, future::BoxFuture};
use luci_schema::{Stage, event::BlockReport};

use super::{
    outcome::{self, Outcome, database_failed},
    sector_list,
};
use crate::{
    block::{BlockFault, BlockKind, Progress, Task, Tools},
    book,
    lead::Lead,
};

pub(super) struct Assign;

impl BlockKind for Assign {
    fn stage(&self) -> Stage {
        Stage::Assign
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
        assign(task, tools).boxed()
    }
}

/// A lead that no sector fits goes on as no match: it can still be pushed.
async fn assign(task: &Task, tools: &Tools) -> Result<BlockReport, BlockFault> {
    let mut c = tools.pool.acquire().await.map_err(database_failed)?;
    let sectors = book::sectors::rules(&mut c, task.tenant).await.map_err(database_failed)?;
    drop(c);
    let mut outcome = Outcome::new(task, tools);
    let leads = outcome::leads(task, tools).await?;
    let mut done: Vec<Lead> = Vec::with_capacity(leads.len());
    for mut lead in leads {
        if task.stop.is_cancelled() {
            break;
        }
        let placed = sectors.place(&lead, task.run.sector_id);
        let fits = placed.sector_id.is_some();
        lead.sector = Some(placed);
        if fits {
            outcome.success(&lead).await?
        } else {
            outcome.no_match(&lead).await?
        }
        done.push(lead);
    }
    let mut c = tools.pool.acquire().await.map_err(database_failed)?;
    outcome::book(&mut c, task.tenant, &done).await.map_err(database_failed)?;
    drop(c);
    sector_list::add(task, tools, &done).await?;
    outcome.finish().await
}
