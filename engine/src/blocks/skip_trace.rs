//! SKIP_TRACE: how the person can be reached; and, where the blueprint says so, whether the numbers found are in use.

use std::collections::HashSet;

use futures::{FutureExt, future::BoxFuture};
use luci_schema::{Stage, event::BlockReport};
use serde::Deserialize;
use sqlx::PgConnection;

use super::{
    ask::{self, Source},
    outcome,
};
use crate::{
    block::{BlockFault, BlockKind, Progress, Task, Tools},
    lead::phone,
    lead::{Lead, merge, qualify},
    provider::{Answers, MOST_NUMBERS, PhoneQuery, PhoneSource, ProviderName, TraceMatch, TraceQuery},
};

pub(super) struct SkipTrace;

impl BlockKind for SkipTrace {
    fn stage(&self) -> Stage {
        Stage::SkipTrace
    }

    fn provider(&self, task: &Task) -> String {
        ask::provider_of::<Self>(task)
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
        async move {
            outcome::config::<Settings>(task)?;
            ask::run::<Self>(task, tools, progress).await
        }
        .boxed()
    }
}

impl Source for SkipTrace {
    type Query = TraceQuery;
    type Match = TraceMatch;

    const STAGE: Stage = Stage::SkipTrace;
    /// One call.
    const PORTION: usize = 250;

    fn query(lead: &Lead) -> Option<TraceQuery> {
        qualify::trace_query(lead)
    }

    fn ask<'a>(
        task: &'a Task,
        tools: &'a Tools,
        provider: ProviderName,
        queries: &'a [TraceQuery],
    ) -> BoxFuture<'a, Answers<TraceMatch>> {
        async move {
            let mut answers = tools.providers.skip_trace(task.asking(), provider, queries).await;
            if let Ok(Settings { verify: Some(source), .. }) = outcome::config(task) {
                verify(task, tools, source, queries, &mut answers).await;
            }
            answers
        }
        .boxed()
    }

    fn merge(lead: &mut Lead, provider: ProviderName, found: &TraceMatch) {
        merge::trace(lead, provider, found);
    }

    /// A trace names numbers, no person.
    fn keep<'a>(_: &'a mut PgConnection, _: &'a Task, _: &'a [Lead]) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        futures::future::ready(Ok(())).boxed()
    }
}

/// The stage's settings.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Settings {
    /// Who is asked about each number that was found: `trestle`, `trestle_contact` or `twilio`.
    verify: Option<PhoneSource>,
}

/// Asks about the first usable numbers that were found. One without an answer stays as the trace told of it.
async fn verify(
    task: &Task,
    tools: &Tools,
    source: PhoneSource,
    queries: &[TraceQuery],
    answers: &mut Answers<TraceMatch>,
) {
    let mut asked: Vec<(usize, usize)> = Vec::new();
    let mut numbers: Vec<PhoneQuery> = Vec::new();
    for (n, (query, answer)) in queries.iter().zip(answers.iter()).enumerate() {
        let found = answer.as_ref().ok().and_then(|answer| answer.found.as_ref());
        let phones = found.iter().flat_map(|found| found.phones.iter().enumerate());
        for (at, phone) in phones.filter(|(_, phone)| phone.usable()).take(MOST_NUMBERS) {
            if let Some(number) = phone::normalise(&phone.number) {
                let name = [query.first_name.as_deref(), query.last_name.as_deref()];
                let name = || name.into_iter().flatten().collect::<Vec<_>>().join(" ");
                let name = (source == PhoneSource::TrestleContact).then(name);
                asked.push((n, at));
                numbers.push(PhoneQuery { lead_id: query.lead_id, number, name });
            }
        }
    }
    let mut counted = HashSet::new();
    let facts = tools.providers.phone_facts(task.asking(), source, &numbers).await;
    for ((n, at), answer) in asked.into_iter().zip(facts) {
        let Ok(answer) = answer else { continue };
        // Two rows of one lead that ask the same are paid for once.
        if counted.insert((queries[n].lead_id, answer.request_digest.clone())) {
            task.spent.add(answer.cost_to(task.block.artifact_id));
        }
        let found = answers[n].as_mut().ok().and_then(|answer| answer.found.as_mut());
        if let (Some(facts), Some(found)) = (&answer.found, found) {
            facts.onto(&mut found.phones[at]);
        }
    }
}
