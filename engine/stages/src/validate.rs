//! VALIDATE: normalises rows, rejects invalid ones and duplicates, and stores the leads.

use futures::{FutureExt, future::BoxFuture};
use luci_leads::{
    ingest::{self, IngestContext, RowResult},
    lead::line::FailedLine,
    validate::row,
};
use luci_runs::block::{BlockFault, Progress, Task};
use luci_schema::{ImportId, Stage, event::BlockReport};
use sqlx::PgConnection;

use crate::{
    corrected,
    kind::{StageKind, Tools},
    outcome::{Outcome, database_failed, leads},
    settings::{self, BadSetting},
};

pub(super) struct Validate;

impl StageKind for Validate {
    fn stage(&self) -> Stage {
        Stage::Validate
    }

    fn makes_leads(&self) -> bool {
        true
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
        validate(task, tools).boxed()
    }
}

async fn validate(task: &Task, tools: &Tools) -> Result<BlockReport, BlockFault> {
    let mut outcome = Outcome::new(task, tools);
    // Keys and leads are written in one transaction: no lead is half done.
    if task.stop.is_cancelled() {
        return outcome.finish().await;
    }
    let rows: Vec<RowResult> = leads(task, tools).await?.into_iter().map(row::normalise).collect();
    let mut tx = tools.pool.begin().await.map_err(database_failed)?;
    let rows = ingest_rows(&mut tx, (task, tools), rows).await.map_err(database_failed)?;
    tx.commit().await.map_err(database_failed)?;
    for row in rows {
        match row {
            Ok(lead) => {
                lead.warnings.iter().for_each(|warning| outcome.warn(warning.as_str()));
                outcome.success(&lead).await?;
            }
            Err(refused) => outcome.rejected(&FailedLine::rejected(refused.0, refused.1)).await?,
        }
    }
    outcome.finish().await
}

async fn ingest_rows(
    c: &mut PgConnection,
    (task, tools): (&Task, &Tools),
    mut rows: Vec<RowResult>,
) -> Result<Vec<RowResult>, sqlx::Error> {
    let corrected = corrected::recognise(c, task, &mut rows).await?;
    let context = IngestContext {
        tenant: task.tenant,
        root_input_id: &task.run.root_input_id,
        on_existing: task.run.options.on_existing,
        corrected: corrected.as_ref(),
    };
    // Members of a sector are stored already; only rows of a file or an API call claim keys.
    if task.run.root_input_id.parse::<ImportId>().is_ok() {
        rows = ingest::ingest(c, &context, rows).await?;
    } else if corrected.is_some() {
        ingest::write_leads(c, &context, &mut rows).await?;
    }
    ingest::warn_suppressed(c, task.tenant, tools.providers.vault(), &mut rows).await?;
    Ok(rows)
}
