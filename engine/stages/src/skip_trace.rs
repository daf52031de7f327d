//! SKIP_TRACE: looks up how the person can be reached and, if the blueprint says so, verifies the numbers found.

use std::{collections::HashSet, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use luci_leads::{
    Lead,
    enrich::{found::TraceMatch, merge, qualify, query::TraceQuery},
    normalise::phone,
};
use luci_providers::{
    Answers, Capability, MAX_NUMBERS, PhoneQuery, PhoneSource, PhoneSubject, ProviderError, ProviderName, Reason,
    async_batches,
};
use luci_runs::block::{BlockFault, Progress, Task};
use luci_schema::{
    FailureCode, Stage,
    event::{BlockReport, RunPrices},
};
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    async_trace,
    kind::{self, StageKind, Tools},
    lookup::{self, Source},
    outcome,
    settings::{self, BadSetting},
};

pub(super) struct SkipTrace;

impl StageKind for SkipTrace {
    fn stage(&self) -> Stage {
        Stage::SkipTrace
    }

    fn provider(&self, task: &Task) -> String {
        lookup::provider_of::<Tracing>(task)
    }

    fn calls_outside(&self) -> bool {
        true
    }

    fn check(&self, config: &Value) -> Result<(), BadSetting> {
        Settings::read(config).map(drop)
    }

    fn needs(&self, config: &Value) -> Vec<ProviderName> {
        let Ok((settings, provider)) = Settings::read(config) else { return Vec::new() };
        let verifies = |other: &ProviderName| {
            let facts = other.capabilities().phone_facts;
            *other != provider && facts.iter().any(|facts| settings.verify.is_some_and(|v| v.as_str() == facts.setting))
        };
        let verifier = ProviderName::all().find(verifies);
        [Some(provider), verifier].into_iter().flatten().collect()
    }

    fn max_cost_per_lead(&self, config: &Value, prices: &RunPrices) -> u64 {
        // Settings that cannot be read fail the block before it looks anything up.
        let Ok((settings, provider)) = Settings::read(config) else { return 0 };
        let Ok(price) = Capability::SkipTrace.price(provider) else { return 0 };
        let verify = settings.verify.map_or(0, |source| MAX_NUMBERS as u64 * source.price().pinned(prices));
        price.pinned(prices) + verify
    }

    fn run<'a>(
        &'a self,
        task: &'a Task,
        tools: &'a Tools,
        progress: &'a Progress,
    ) -> BoxFuture<'a, Result<BlockReport, BlockFault>> {
        async move {
            let (settings, _) = Settings::read(&task.spec.config).map_err(|bad| outcome::bad_setting(task, &bad))?;
            let closed = match settings.mode {
                Mode::Await => None,
                Mode::Webhook => async_trace::through(task, tools, settings.deadline()).await?,
            };
            lookup::run(&Tracing { settings, closed }, task, tools, progress).await
        }
        .boxed()
    }
}

/// One block's way to its answers.
struct Tracing {
    settings: Settings,
    /// Why leads could not be submitted.
    closed: Option<ProviderError>,
}

impl Source for Tracing {
    type Query = TraceQuery;
    type Match = TraceMatch;

    const CAPABILITY: Capability = Capability::SkipTrace;
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
                Mode::Await => tools.providers.skip_trace(kind::lookup_context(task), provider, queries).await,
                Mode::Webhook => {
                    tools.providers.collect(kind::lookup_context(task), queries, self.closed(task).as_ref()).await
                }
            };
            if let Some(source) = self.settings.verify.filter(|_| !task.stop.is_cancelled()) {
                verify(task, tools, source, queries, &mut answers).await;
            }
            answers
        }
        .boxed()
    }

    fn all_arrived(&self) -> bool {
        self.settings.mode == Mode::Webhook
    }

    fn merge(lead: &mut Lead, provider: ProviderName, found: &TraceMatch) {
        merge::trace(lead, provider.as_str(), found);
    }

    /// A trace names numbers, no person.
    fn keep<'a>(
        _: &'a mut PgConnection,
        _: &'a Task,
        _: ProviderName,
        _: &'a [Lead],
    ) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        futures::future::ready(Ok(())).boxed()
    }
}

impl Tracing {
    /// A block that was stopped asks nobody.
    fn closed(&self, task: &Task) -> Option<ProviderError> {
        let stopped = || ProviderError::new(async_batches::PROVIDER, FailureCode::Internal, Reason::Stopped);
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
    /// Leads are submitted; the provider posts each answer to a webhook later.
    Webhook,
}

/// The stage's settings.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Settings {
    /// `realestate`, which is the default, or `tracerfy`.
    provider: Option<String>,
    mode: Mode,
    /// How long the answers of a hand-over are waited for.
    deadline_seconds: Option<u64>,
    /// Who verifies each number that was found: `trestle`, `trestle_contact` or `twilio`.
    verify: Option<PhoneSource>,
}

impl Settings {
    fn read(config: &Value) -> Result<(Self, ProviderName), BadSetting> {
        let settings: Self = settings::read(config)?;
        let provider = settings::provider(Capability::SkipTrace, settings.provider.as_deref())?;
        let deadline = settings.deadline_seconds;
        if deadline.is_some_and(|seconds| !(1..=LONGEST_DEADLINE).contains(&seconds)) {
            return Err(BadSetting::new("deadlineSeconds", format!("1 to {LONGEST_DEADLINE}")));
        }
        match settings.mode {
            Mode::Await if deadline.is_some() => Err(BadSetting::new("deadlineSeconds", "mode `webhook` beside it")),
            Mode::Webhook if provider.capabilities().async_batches.is_none() => {
                let expected = format!("`await`: only {} posts answers, not {provider}", async_batches::PROVIDER);
                Err(BadSetting::new("mode", expected))
            }
            Mode::Await | Mode::Webhook => Ok((settings, provider)),
        }
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_seconds.unwrap_or(USUAL_DEADLINE).clamp(1, LONGEST_DEADLINE))
    }
}

/// Verifies the first usable numbers that were found. One without an answer stays as the trace returned it.
async fn verify(
    task: &Task,
    tools: &Tools,
    source: PhoneSource,
    queries: &[TraceQuery],
    answers: &mut Answers<TraceMatch>,
) {
    let mut positions: Vec<(usize, usize)> = Vec::new();
    let mut numbers: Vec<PhoneQuery> = Vec::new();
    for (n, (query, answer)) in queries.iter().zip(answers.iter()).enumerate() {
        let found = answer.as_ref().ok().and_then(|answer| answer.found.as_ref());
        let phones = found.iter().flat_map(|found| found.phones.iter().enumerate());
        for (at, phone) in phones.filter(|(_, phone)| phone.usable()).take(MAX_NUMBERS) {
            if let Some(number) = phone::normalise(&phone.number) {
                let name = [query.first_name.as_deref(), query.last_name.as_deref()];
                let name = || name.into_iter().flatten().collect::<Vec<_>>().join(" ");
                let name = (source.subject() == PhoneSubject::NumberAndName).then(name);
                positions.push((n, at));
                numbers.push(PhoneQuery { lead_id: query.lead_id, number, name });
            }
        }
    }
    let mut counted = HashSet::new();
    let facts = tools.providers.phone_facts(kind::lookup_context(task), source, &numbers).await;
    for ((n, at), answer) in positions.into_iter().zip(facts) {
        let Ok(answer) = answer else { continue };
        // Two rows of one lead that ask the same are paid for once.
        if counted.insert((queries[n].lead_id, answer.request_digest.clone())) {
            task.spent.add(answer.cost_to(task.block.artifact_id));
        }
        let found = answers[n].as_mut().ok().and_then(|answer| answer.found.as_mut());
        if let (Some(facts), Some(found)) = (&answer.found, found) {
            facts.apply_to(&mut found.phones[at]);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_price_follows_the_provider_and_the_verification() {
        let most = |config| SkipTrace.max_cost_per_lead(&config, &RunPrices::default());
        assert_eq!(most(json!(null)), 100_000);
        assert_eq!(most(json!({"provider": "tracerfy", "verify": "trestle"})), 20_000 + 5 * 15_000);
    }

    #[test]
    fn settings_that_cannot_be_are_named() {
        let field = |config| SkipTrace.check(&config).expect_err("refused").field;
        assert_eq!(field(json!({"provider": "apollo"})), "provider");
        assert_eq!(field(json!({"provider": 7})), "provider");
        assert_eq!(field(json!({"verify": "apollo"})), "verify");
        assert_eq!(field(json!({"deadlineSeconds": 60})), "deadlineSeconds");
        assert_eq!(field(json!({"mode": "webhook", "deadlineSeconds": 0})), "deadlineSeconds");
        assert_eq!(field(json!({"mode": "webhook", "provider": "tracerfy"})), "mode");
        assert_eq!(field(json!({"organizations": "ask"})), "organizations");
        SkipTrace.check(&json!({"verify": "twilio", "mode": "webhook", "deadlineSeconds": 60})).expect("right");
    }
}
