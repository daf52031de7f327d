//! VALIDATE: makes rows tidy, refuses what is no lead or a duplicate, and writes the leads into the book.

use futures::{FutureExt, future::BoxFuture};
use luci_schema::{Stage, event::BlockReport};
use sqlx::PgConnection;

use super::{
    mended,
    outcome::{Outcome, database_failed, leads},
};
use crate::{
    block::{BlockFault, BlockKind, Progress, Task, Tools},
    enter::{self, Entering, Judged},
    lead::{intake, line::FailedLine},
};

pub(super) struct Validate;

impl BlockKind for Validate {
    fn stage(&self) -> Stage {
        Stage::Validate
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
        validate(task, tools).boxed()
    }
}

async fn validate(task: &Task, tools: &Tools) -> Result<BlockReport, BlockFault> {
    let mut outcome = Outcome::new(task, tools);
    // Claims and leads are written as a whole or not at all: there is no lead in hand to finish.
    if task.stop.is_cancelled() {
        return outcome.finish().await;
    }
    let rows: Vec<Judged> = leads(task, tools).await?.into_iter().map(intake::tidy).collect();
    let mut tx = tools.pool.begin().await.map_err(database_failed)?;
    let rows = entered(&mut tx, task, rows).await.map_err(database_failed)?;
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

async fn entered(c: &mut PgConnection, task: &Task, mut rows: Vec<Judged>) -> Result<Vec<Judged>, sqlx::Error> {
    let mended = mended::recognise(c, task, &mut rows).await?;
    let entering = Entering {
        tenant: task.tenant,
        root_input_id: &task.run.root_input_id,
        on_existing: task.run.options.on_existing,
        mended: mended.as_ref(),
    };
    // The members of a sector are leads already; only rows of a file or a call claim keys.
    if entering.root_input_id.starts_with("import_") {
        rows = enter::claim(c, &entering, rows).await?;
    } else if mended.is_some() {
        enter::write(c, &entering, &mut rows).await?;
    }
    enter::suppress(c, task.tenant, &mut rows).await?;
    Ok(rows)
}
