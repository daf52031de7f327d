//! What ENRICH and SKIP_TRACE share: leads that qualify are looked up at a provider, in portions. A stop takes effect between
//! two portions.

use std::collections::HashSet;

use futures::future::BoxFuture;
use luci_leads::{Lead, lead::line::FailedLine};
use luci_providers::{Answers, CallState, Capability, ProviderError, ProviderName, Reason};
use luci_runs::block::{BlockFault, Progress, Task};
use luci_schema::{
    Failure, FailureCode, Micros,
    event::{BlockReport, OnMissingProvider},
};
use sqlx::PgConnection;

use crate::{
    kind::Tools,
    outcome::{self, Outcome, database_failed},
    settings::{self, BadSetting},
};

/// A lookup that a stage makes.
pub(super) trait Source: Send + Sync {
    /// The query about one lead.
    type Query: Send + Sync;
    type Match: Send;

    const CAPABILITY: Capability;
    /// Leads looked up before a stop takes effect.
    const PORTION: usize;

    /// None when the lead does not qualify.
    fn query(lead: &Lead) -> Option<Self::Query>;
    fn ask<'a>(
        &'a self,
        task: &'a Task,
        tools: &'a Tools,
        provider: ProviderName,
        queries: &'a [Self::Query],
    ) -> BoxFuture<'a, Answers<Self::Match>>;
    /// Whether all answers have arrived: a stop then skips unanswered leads only.
    fn all_arrived(&self) -> bool {
        false
    }
    fn merge(lead: &mut Lead, provider: ProviderName, found: &Self::Match);
    /// What is written beside the leads themselves.
    fn keep<'a>(
        c: &'a mut PgConnection,
        task: &'a Task,
        provider: ProviderName,
        leads: &'a [Lead],
    ) -> BoxFuture<'a, Result<(), sqlx::Error>>;
}

/// Asks about every lead of the block that qualifies.
pub(super) async fn run<S: Source>(
    source: &S,
    task: &Task,
    tools: &Tools,
    progress: &Progress,
) -> Result<BlockReport, BlockFault> {
    let provider = provider::<S>(task).map_err(|bad| outcome::bad_setting(task, &bad))?;
    let leads = outcome::leads(task, tools).await?;
    let (total, mut done) = (leads.len() as u64, 0);
    let mut outcome = Outcome::new(task, tools);
    if skips_without_key(task, tools, provider).await? {
        for lead in leads {
            outcome.skipped(&lead, Some(Reason::NotConfigured.as_str())).await?;
        }
        return outcome.finish().await;
    }
    let mut counted = HashSet::new();
    let mut qualified: Vec<(Lead, S::Query)> = Vec::with_capacity(leads.len());
    for lead in leads {
        match S::query(&lead) {
            Some(query) => qualified.push((lead, query)),
            None => {
                done += 1;
                outcome.skipped(&lead, None).await?;
            }
        }
    }
    let (mut stopped_by, mut qualified) = (None, qualified.into_iter());
    while qualified.len() > 0 && stopped_by.is_none() && (source.all_arrived() || !task.stop.is_cancelled()) {
        let (leads, queries): (Vec<Lead>, Vec<S::Query>) = qualified.by_ref().take(S::PORTION).unzip();
        done += leads.len() as u64;
        let answers = source.ask(task, tools, provider, &queries).await;
        let (leads, answers) = if source.all_arrived() { answered(task, leads, answers) } else { (leads, answers) };
        // Before anything can break: what was paid is reported even if the block fails.
        for (lead, answer) in leads.iter().zip(&answers) {
            if let Ok(answer) = answer
                && counted.insert((lead.lead_id, answer.request_digest.clone()))
            {
                task.spent.add(answer.cost_to(task.block.artifact_id));
            }
        }
        outcome.report().cost_micros = task.spent.micros();
        let error = |answer: &Result<_, ProviderError>| answer.as_ref().err().filter(|e| e.stops_block()).cloned();
        stopped_by = answers.iter().filter_map(error).max_by_key(|error| error.retry_after);
        take::<S>(task, tools, &mut outcome, provider, (leads, answers)).await?;
        progress.set(done, total);
    }
    let Some(error) = stopped_by else { return outcome.finish_unless_all_failed(provider).await };
    for (lead, _) in qualified {
        outcome.failed(&unanswered(lead, error.clone())).await?;
    }
    Err(provider_stopped(outcome.finish().await?, provider, &error))
}

/// Whether the run said that leads go on without this provider, and it has no key.
async fn skips_without_key(task: &Task, tools: &Tools, provider: ProviderName) -> Result<bool, BlockFault> {
    if task.run.options.on_missing_provider != OnMissingProvider::Skip {
        return Ok(false);
    }
    let account = tools.providers.account(task.tenant, provider).await;
    let account = account.map_err(|error| BlockFault::new(FailureCode::Auth, format!("key of {provider}: {error}")))?;
    Ok(account.is_none())
}

/// The provider takes no more calls now: the block fails. The answers that came are stored, so the next attempt
/// looks up only the other leads, at the time that the provider named.
fn provider_stopped(report: BlockReport, provider: ProviderName, error: &ProviderError) -> BlockFault {
    let tried = report.counts.processed();
    let mut failure = Failure::new(error.code, message(provider, error, tried - report.counts.failed, tried));
    failure.reasons = report.reasons.clone();
    // An INTERNAL error is a database that was unavailable. A stored answer that cannot be decoded stays so, and is not bought again.
    failure.retryable |= error.code == FailureCode::Internal && error.reason != Reason::StoredAnswerUnreadable;
    failure.not_before_micros = error.retry_after.map(|wait| {
        let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        Micros::now().plus_millis(millis)
    });
    BlockFault { report: Box::new(report), ..failure.into() }
}

/// Names the stored answer where one is to blame: that detail quotes no provider.
fn message(provider: ProviderName, error: &ProviderError, answered: u64, tried: u64) -> String {
    match (&error.reason, &error.detail) {
        (Reason::StoredAnswerUnreadable, Some(detail)) => detail.clone(),
        (reason, _) => {
            let cause = reason.remedy(provider).map_or_else(String::new, |remedy| format!(": {remedy}"));
            format!("{provider} answered for {answered} of {tried} leads{cause}")
        }
    }
}

/// Of a stopped block: the leads that have an answer.
fn answered<M>(task: &Task, leads: Vec<Lead>, answers: Answers<M>) -> (Vec<Lead>, Answers<M>) {
    if !task.stop.is_cancelled() {
        return (leads, answers);
    }
    let called =
        |answer: &Result<_, ProviderError>| answer.as_ref().map_or_else(|e| e.call == CallState::Made, |_| true);
    leads.into_iter().zip(answers).filter(|(_, answer)| called(answer)).unzip()
}

async fn take<S: Source>(
    task: &Task,
    tools: &Tools,
    outcome: &mut Outcome<'_>,
    provider: ProviderName,
    (leads, answers): (Vec<Lead>, Answers<S::Match>),
) -> Result<(), BlockFault> {
    let mut matched = Vec::with_capacity(leads.len());
    for (mut lead, answer) in leads.into_iter().zip(answers) {
        match answer {
            Ok(answer) => match &answer.found {
                Some(found) => {
                    S::merge(&mut lead, provider, found);
                    outcome.success(&lead).await?;
                    matched.push(lead);
                }
                None => outcome.no_match(&lead).await?,
            },
            Err(error) => outcome.failed(&unanswered(lead, error)).await?,
        }
    }
    if matched.is_empty() {
        return Ok(());
    }
    matched.sort_by_key(|lead| lead.lead_id);
    matched.dedup_by_key(|lead| lead.lead_id);
    let mut tx = tools.pool.begin().await.map_err(database_failed)?;
    if !outcome::stored_later(task) {
        outcome::store_leads(&mut tx, task.tenant, &matched).await.map_err(database_failed)?;
    }
    S::keep(&mut tx, task, provider, &matched).await.map_err(database_failed)?;
    tx.commit().await.map_err(database_failed)
}

/// The provider as `block:started` names it; settings that name an unusable one fail the block in `run`.
pub(super) fn provider_of<S: Source>(task: &Task) -> String {
    provider::<S>(task).map_or_else(|_| "none".into(), |name| name.to_string())
}

fn provider<S: Source>(task: &Task) -> Result<ProviderName, BadSetting> {
    settings::provider(S::CAPABILITY, task.spec.config["provider"].as_str())
}

/// The line of a lead that the provider gave no answer for.
fn unanswered(lead: Lead, error: ProviderError) -> FailedLine {
    FailedLine::unanswered(lead, error.code, error.reason.into(), error.detail)
}
