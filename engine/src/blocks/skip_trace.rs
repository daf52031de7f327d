//! SKIP_TRACE: how the person can be reached; and, where the blueprint says so, whether the numbers found are in use.

use std::{collections::HashSet, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use luci_schema::{FailureCode, Stage, event::BlockReport};
use serde::Deserialize;
use sqlx::PgConnection;

use super::{
    ask::{self, Source},
    handed, outcome,
};
use crate::{
    block::{BlockFault, BlockKind, Progress, Task, Tools},
    lead::phone,
    lead::{Lead, merge, qualify},
    provider::{
        Answers, MOST_NUMBERS, PhoneQuery, PhoneSource, ProviderError, ProviderName, TraceMatch, TraceQuery, of_stage,
    },
};

pub(super) struct SkipTrace;

impl BlockKind for SkipTrace {
    fn stage(&self) -> Stage {
        Stage::SkipTrace
    }

    fn provider(&self, task: &Task) -> String {
        ask::provider_of::<Tracing>(task)
    }

    fn outside(&self) -> bool {
        true
    }

    fn check(&self, config: &serde_json::Value) -> Result<(), String> {
        let settings: Settings = outcome::settings(config)?;
        if settings.deadline_seconds.is_some_and(|seconds| !(1..=LONGEST_DEADLINE).contains(&seconds)) {
            return Err(format!("deadlineSeconds is 1 to {LONGEST_DEADLINE}"));
        }
        match (settings.mode, of_stage(Stage::SkipTrace, config)?) {
            (Mode::Await, _) if settings.deadline_seconds.is_some() => {
                Err("deadlineSeconds belongs to the mode webhook".into())
            }
            (Mode::Webhook, provider) if provider != ProviderName::RealEstate => {
                Err(format!("{provider} posts no answers: the mode webhook is realestate's"))
            }
            (Mode::Await | Mode::Webhook, _) => Ok(()),
        }
    }

    fn run<'a>(
        &'a self,
        task: &'a Task,
        tools: &'a Tools,
        progress: &'a Progress,
    ) -> BoxFuture<'a, Result<BlockReport, BlockFault>> {
        async move {
            let settings: Settings = outcome::config(task)?;
            let closed = match settings.mode {
                Mode::Await => None,
                Mode::Webhook => handed::through(task, tools, settings.deadline()).await?,
            };
            ask::run(&Tracing { settings, closed }, task, tools, progress).await
        }
        .boxed()
    }
}

/// One block's way to its answers.
struct Tracing {
    settings: Settings,
    /// Why leads could not be handed over.
    closed: Option<ProviderError>,
}

impl Source for Tracing {
    type Query = TraceQuery;
    type Match = TraceMatch;

    const STAGE: Stage = Stage::SkipTrace;
    /// One call.
    const PORTION: usize = 250;

    fn query(lead: &Lead) -> Option<TraceQuery> {
        qualify::trace_query(lead)
    }

    fn ask<'a>(
        &'a self,
        task: &'a Task,
        tools: &'a Tools,
        provider: ProviderName,
        queries: &'a [TraceQuery],
    ) -> BoxFuture<'a, Answers<TraceMatch>> {
        async move {
            let mut answers = match self.settings.mode {
                Mode::Await => tools.providers.skip_trace(task.asking(), provider, queries).await,
                Mode::Webhook => tools.providers.collect(task.asking(), queries, self.closed(task).as_ref()).await,
            };
            if let Some(source) = self.settings.verify.filter(|_| !task.stop.is_cancelled()) {
                verify(task, tools, source, queries, &mut answers).await;
            }
            answers
        }
        .boxed()
    }

    fn at_hand(&self) -> bool {
        self.settings.mode == Mode::Webhook
    }

    fn merge(lead: &mut Lead, provider: ProviderName, found: &TraceMatch) {
        merge::trace(lead, provider, found);
    }

    /// A trace names numbers, no person.
    fn keep<'a>(_: &'a mut PgConnection, _: &'a Task, _: &'a [Lead]) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        futures::future::ready(Ok(())).boxed()
    }
}

impl Tracing {
    /// A block that was stopped asks nobody.
    fn closed(&self, task: &Task) -> Option<ProviderError> {
        let stopped = || ProviderError::new(ProviderName::RealEstate, FailureCode::Internal, "stopped");
        self.closed.clone().or_else(|| task.stop.is_cancelled().then(stopped))
    }
}

/// Of a hand-over, in seconds: a day at most, an hour unless the blueprint says otherwise.
const LONGEST_DEADLINE: u64 = 86_400;
const USUAL_DEADLINE: u64 = 3_600;

/// How the answers come.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// In the answer of the call that asks.
    #[default]
    Await,
    /// Leads are handed over; the provider posts each answer when it is known.
    Webhook,
}

/// The stage's settings.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Settings {
    mode: Mode,
    /// How long the answers of a hand-over are waited for.
    deadline_seconds: Option<u64>,
    /// Who is asked about each number that was found: `trestle`, `trestle_contact` or `twilio`.
    verify: Option<PhoneSource>,
}

impl Settings {
    fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_seconds.unwrap_or(USUAL_DEADLINE).clamp(1, LONGEST_DEADLINE))
    }
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
