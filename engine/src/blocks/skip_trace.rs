//! SKIP_TRACE: how the person can be reached, asked of RealEstateAPI.

use futures::{FutureExt, future::BoxFuture};
use luci_schema::{Stage, event::BlockReport};
use sqlx::PgConnection;

use super::ask::{self, Source};
use crate::{
    block::{BlockFault, BlockKind, Progress, Task, Tools},
    lead::{Lead, merge, qualify},
    provider::{Answers, TraceMatch, TraceQuery},
};

pub(super) struct SkipTrace;

impl BlockKind for SkipTrace {
    fn stage(&self) -> Stage {
        Stage::SkipTrace
    }

    fn provider(&self, _: &Task) -> String {
        Self::PROVIDER.into()
    }

    fn outside(&self) -> bool {
        true
    }

    fn run<'a>(
        &'a self,
        task: &'a Task,
        tools: &'a Tools,
        progress: &'a Progress,
    ) -> BoxFuture<'a, Result<BlockReport, BlockFault>> {
        ask::run::<Self>(task, tools, progress).boxed()
    }
}

impl Source for SkipTrace {
    type Query = TraceQuery;
    type Match = TraceMatch;

    const PROVIDER: &'static str = "realestate";
    /// One call.
    const PORTION: usize = 250;

    fn query(lead: &Lead) -> Option<TraceQuery> {
        qualify::trace_query(lead)
    }

    fn ask<'a>(task: &'a Task, tools: &'a Tools, queries: &'a [TraceQuery]) -> BoxFuture<'a, Answers<TraceMatch>> {
        tools.providers.skip_trace(task.asking(), queries).boxed()
    }

    fn merge(lead: &mut Lead, found: &TraceMatch) {
        merge::trace(lead, found);
    }

    /// A trace names numbers, no person.
    fn keep<'a>(_: &'a mut PgConnection, _: &'a Task, _: &'a [Lead]) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        futures::future::ready(Ok(())).boxed()
    }
}
