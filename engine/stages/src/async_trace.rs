//! SKIP_TRACE in mode `webhook`: leads are submitted in batches, and the block waits without a worker permit until their
//! answers were posted.

use luci_leads::enrich::{qualify, query::TraceQuery};
use luci_providers::{
    ProviderError,
    submit_batch::{BatchSubmission, SubmittedBatches},
};
use luci_runs::block::{BlockFault, Task};

use crate::{
    kind::{self, Tools},
    outcome,
};

/// Submits what has no answer yet and waits until nothing more can come or the block is stopped. Returns why the rest could not
/// be submitted. Holds no leads and no worker permit while it waits.
pub(super) async fn through(
    task: &Task,
    tools: &Tools,
    timeout: std::time::Duration,
) -> Result<Option<ProviderError>, BlockFault> {
    let (run, block, attempt) = (task.run_id, task.block.block_id, task.attempt.unwrap_or_default());
    let submission = BatchSubmission { run, block, attempt, timeout };
    loop {
        let queries: Vec<TraceQuery> =
            outcome::leads(task, tools).await?.iter().filter_map(qualify::trace_query).collect();
        let submitted = tools.providers.submit_batches(kind::lookup_context(task), &submission, &queries).await;
        let SubmittedBatches { waits_for, stopped_by } = submitted;
        drop(queries);
        if waits_for.is_empty() || task.stop.is_cancelled() {
            return Ok(stopped_by);
        }
        let answers = tools.providers.wait_for_batches(task.tenant, &waits_for);
        let stopped = task.permit.release_while(async {
            tokio::select! {
                () = answers => false,
                () = task.stop.cancelled() => true,
            }
        });
        if stopped.await {
            return Ok(None);
        }
    }
}
