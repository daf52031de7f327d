//! ENRICH: who is behind the lead, asked of Apollo.

use futures::{FutureExt, future::BoxFuture};
use luci_schema::{Stage, event::BlockReport};
use sqlx::PgConnection;

use super::ask::{self, Source};
use crate::{
    block::{BlockFault, BlockKind, Progress, Task, Tools},
    book,
    lead::{Lead, merge, qualify},
    provider::{Answers, PersonMatch, PersonQuery},
};

pub(super) struct Enrich;

impl BlockKind for Enrich {
    fn stage(&self) -> Stage {
        Stage::Enrich
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

impl Source for Enrich {
    type Query = PersonQuery;
    type Match = PersonMatch;

    const PROVIDER: &'static str = "apollo";
    /// Ten calls of ten people.
    const PORTION: usize = 100;

    fn query(lead: &Lead) -> Option<PersonQuery> {
        qualify::person_query(lead)
    }

    fn ask<'a>(task: &'a Task, tools: &'a Tools, queries: &'a [PersonQuery]) -> BoxFuture<'a, Answers<PersonMatch>> {
        tools.providers.people_match(task.asking(), queries).boxed()
    }

    fn merge(lead: &mut Lead, found: &PersonMatch) {
        merge::person(lead, found);
    }

    fn keep<'a>(c: &'a mut PgConnection, task: &'a Task, leads: &'a [Lead]) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        book::contacts::save(c, task.tenant, Self::PROVIDER, leads).boxed()
    }
}
