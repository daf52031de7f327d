//! SKIP_TRACE by hand-over: leads go to the provider in batches, and the block waits aside until their answers were posted.

use super::outcome;
use crate::{
    block::{BlockFault, Task, Tools},
    lead::qualify,
    provider::{HandedOver, Handing, ProviderError, TraceQuery},
};

/// Hands over what has no answer yet and waits, until nothing more can come or the block is stopped. Answers why the rest could
/// not be handed over. Holds no lead and no worker's place while it waits.
pub(super) async fn through(
    task: &Task,
    tools: &Tools,
    deadline: std::time::Duration,
) -> Result<Option<ProviderError>, BlockFault> {
    let (run, block, attempt) = (task.run_id, task.block.block_id, task.attempt.unwrap_or_default());
    let handing = Handing { run, block, attempt, deadline };
    loop {
        let queries: Vec<TraceQuery> =
            outcome::leads(task, tools).await?.iter().filter_map(qualify::trace_query).collect();
        let HandedOver { waits_for, closed } = tools.providers.hand_over(task.asking(), &handing, &queries).await;
        drop(queries);
        if waits_for.is_empty() || task.stop.is_cancelled() {
            return Ok(closed);
        }
        let answers = tools.providers.awaited(task.tenant, &waits_for);
        let stopped = task.place.aside(async {
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
