//! The run that stores the rows of a file as leads: the stages IMPORT and VALIDATE, and ASSIGN for a bucket. It asks no provider,
//! costs nothing and sends nothing.

use luci_runs::{core::RunCommand, issue::Cause};
use luci_schema::{
    CommandId, ImportId, RunId, SectorId, Stage,
    event::{RunOptions, TriggerType},
};
use luci_stages::start::{self, LeadSource, StartRequest, StartedBy};

use crate::{App, caller::Caller, problem::Problem};

/// The name of such a run in lists.
const NAME: &str = "luci_store";

/// A run to start; its id is in the answer to the upload.
#[derive(Debug, Clone, Copy)]
pub struct StoreRun {
    pub run: RunId,
    pub import: ImportId,
    pub sector: Option<SectorId>,
    pub rows: u64,
    /// Rows in a block; `None`: as in other runs.
    pub block_size: Option<u32>,
}

impl StoreRun {
    /// Starts the run, unless it was started before: a client may repeat its call after a crash between upload and start.
    pub async fn start(self, app: &App, caller: &Caller) -> Result<(), Problem> {
        if app.log.stream_head(caller.tenant, self.run.into()).await?.is_some() {
            return Ok(());
        }
        let default = RunOptions::default();
        let request = StartRequest {
            source: LeadSource::Import { import: self.import, sector: self.sector.map(|id| id.to_string()) },
            blueprint: None,
            pipeline_name: Some(NAME.into()),
            options: RunOptions {
                block_size: self.block_size.unwrap_or(default.block_size),
                max_leads: self.rows.max(default.max_leads),
                ..default
            },
            budget_micros: None,
        };
        let by = StartedBy { actor: caller.author(), trigger: TriggerType::Manual };
        let mut c = app.engine_pool.acquire().await?;
        let mut queued = start::queued(&mut c, caller.tenant, &request, self.run, by).await?;
        queued.stages.retain(|spec| match spec.stage {
            Stage::Import | Stage::Validate => true,
            Stage::Assign => self.sector.is_some(),
            Stage::Enrich | Stage::SkipTrace | Stage::Score | Stage::Push => false,
        });
        queued.prices = start::pin_prices(&mut c, &queued.stages).await?;
        drop(c);
        let cause = Cause {
            actor: caller.author(),
            command: CommandId::derive(&["legacy upload", &self.import.to_string()]),
            correlation: None,
            causation: None,
            receipt: None,
            if_match: None,
        };
        app.issuer.issue(caller.tenant, self.run, &RunCommand::Queue(Box::new(queued)), cause).await?;
        Ok(())
    }
}
