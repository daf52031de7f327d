//! IMPORT: reads the next leads of the run's input, from where the previous block ended. No row is dropped: a malformed one is
//! marked and rejected with its line at VALIDATE.

mod csv;
mod earlier;

use futures::{FutureExt, future::BoxFuture};
use luci_leads::store;
use luci_runs::block::{BlockFault, Progress, Task};
use luci_schema::{
    FailureCode, LeadId, SectorId, Stage,
    event::{BlockInput, BlockReport, Cursor, RunInput},
};

use crate::{
    kind::{StageKind, Tools},
    outcome::{Outcome, database_failed},
    settings::{self, BadSetting},
};

#[derive(Default)]
pub(super) struct Import {
    layouts: csv::Layouts,
}

impl StageKind for Import {
    fn stage(&self) -> Stage {
        Stage::Import
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
        self.read(task, tools).boxed()
    }
}

impl Import {
    async fn read(&self, task: &Task, tools: &Tools) -> Result<BlockReport, BlockFault> {
        let BlockInput::Source { cursor } = &task.block.input else {
            return Err(BlockFault::new(FailureCode::Internal, "IMPORT reads a source, not an artifact"));
        };
        let mut outcome = Outcome::new(task, tools);
        let next = match &task.run.input {
            RunInput::Import { object_path, .. } => {
                csv::read(&self.layouts, task, tools, (object_path, cursor), &mut outcome).await?
            }
            RunInput::Sector { sector_id } => members(task, tools, *sector_id, cursor, &mut outcome).await?,
            RunInput::Artifacts { run_id, stage } => {
                earlier::read(task, tools, (*run_id, *stage), cursor, &mut outcome).await?
            }
            RunInput::Artifact { object_path, .. } | RunInput::Leads { object_path, .. } => {
                earlier::read_one(task, tools, object_path, cursor, &mut outcome).await?
            }
        };
        outcome.report().next = next;
        outcome.finish().await
    }
}

/// The members of a sector in lead-id order.
async fn members(
    task: &Task,
    tools: &Tools,
    sector: SectorId,
    cursor: &Cursor,
    outcome: &mut Outcome<'_>,
) -> Result<Option<Cursor>, BlockFault> {
    let after: Option<LeadId> = cursor.after.as_deref().and_then(|id| id.parse().ok());
    let size = task.run.options.block_size;
    let mut c = tools.pool.acquire().await.map_err(database_failed)?;
    // One more than fits shows whether there is a next block.
    let mut leads =
        store::leads::members(&mut c, task.tenant, sector, after, size + 1).await.map_err(database_failed)?;
    drop(c);
    let fits = leads.len().min(size as usize);
    let more = leads.len() > fits;
    leads.truncate(fits);
    for (row, lead) in (cursor.rows + 1..).zip(&mut leads) {
        lead.row = row;
        lead.line = 0;
        outcome.success(lead).await?;
    }
    let rows = cursor.rows + leads.len() as u64;
    let last = leads.last().map(|lead| lead.lead_id.to_string());
    Ok(more.then_some(Cursor { offset: rows, line: 0, rows, after: last }))
}
