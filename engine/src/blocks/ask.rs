//! What ENRICH and SKIP_TRACE share: those leads that qualify are asked about, in portions, between which a stop is heard.

use std::collections::HashSet;

use futures::future::BoxFuture;
use luci_schema::{Failure, FailureCode, Micros, Stage, event::BlockReport};
use sqlx::PgConnection;

use super::outcome::{self, Outcome, database_failed};
use crate::{
    block::{BlockFault, Progress, Task, Tools},
    lead::{Lead, line::FailedLine},
    provider::{self, Answers, Asked, ProviderError, ProviderName},
};

/// One provider's way to be asked.
pub(super) trait Source: Send + Sync {
    /// What is asked of a lead.
    type Query: Send + Sync;
    type Match: Send;

    const STAGE: Stage;
    /// Leads asked about before a stop is heard again.
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
    /// Whether all that can be known of the leads is at hand: then a stop leaves out what has no answer, and no more.
    fn at_hand(&self) -> bool {
        false
    }
    fn merge(lead: &mut Lead, provider: ProviderName, found: &Self::Match);
    /// What is written beside the leads themselves.
    fn keep<'a>(c: &'a mut PgConnection, task: &'a Task, leads: &'a [Lead]) -> BoxFuture<'a, Result<(), sqlx::Error>>;
}

/// Asks about every lead of the block that qualifies.
pub(super) async fn run<S: Source>(
    source: &S,
    task: &Task,
    tools: &Tools,
    progress: &Progress,
) -> Result<BlockReport, BlockFault> {
    let provider = provider::of_stage(S::STAGE, &task.spec.config);
    let provider = provider.map_err(|reason| BlockFault::new(FailureCode::Validation, reason))?;
    let leads = outcome::leads(task, tools).await?;
    let (total, mut done) = (leads.len() as u64, 0);
    let mut outcome = Outcome::new(task, tools);
    let mut counted = HashSet::new();
    let mut asked: Vec<(Lead, S::Query)> = Vec::with_capacity(leads.len());
    for lead in leads {
        match S::query(&lead) {
            Some(query) => asked.push((lead, query)),
            None => {
                done += 1;
                outcome.skipped(&lead, None).await?;
            }
        }
    }
    let (mut closed, mut asked) = (None, asked.into_iter());
    while asked.len() > 0 && closed.is_none() && (source.at_hand() || !task.stop.is_cancelled()) {
        let (leads, queries): (Vec<Lead>, Vec<S::Query>) = asked.by_ref().take(S::PORTION).unzip();
        done += leads.len() as u64;
        let answers = source.ask(task, tools, provider, &queries).await;
        let (leads, answers) = if source.at_hand() { heard(task, leads, answers) } else { (leads, answers) };
        // Before anything can break: what was paid is reported, whatever becomes of the block.
        for (lead, answer) in leads.iter().zip(&answers) {
            if let Ok(answer) = answer
                && counted.insert((lead.lead_id, answer.request_digest.clone()))
            {
                task.spent.add(answer.cost_to(task.block.artifact_id));
            }
        }
        outcome.report().cost_micros = task.spent.micros();
        let error = |answer: &Result<_, ProviderError>| answer.as_ref().err().filter(|e| e.closes_the_door()).cloned();
        closed = answers.iter().filter_map(error).max_by_key(|error| error.retry_after);
        take::<S>(task, tools, &mut outcome, provider, (leads, answers)).await?;
        progress.set(done, total);
    }
    let Some(error) = closed else { return outcome.finish_unless_all_failed(provider.as_str()).await };
    for (lead, _) in asked {
        outcome.failed(&FailedLine::unanswered(lead, error.clone())).await?;
    }
    Err(broken_off(outcome.finish().await?, &error))
}

/// The provider is closed to us: the stage could not be carried out. The answers that came are stored, so the next attempt
/// asks about the other leads alone, when the provider is open again as far as we were told.
fn broken_off(report: BlockReport, error: &ProviderError) -> BlockFault {
    let tried = report.counts.processed();
    let message = format!("{} answered for {} of {tried} leads", error.provider, tried - report.counts.failed);
    let mut failure = Failure::new(error.code, message);
    failure.reasons = report.reasons.clone();
    // What is INTERNAL here is a database that was away.
    failure.retryable |= error.code == FailureCode::Internal;
    failure.not_before_micros = error.retry_after.map(|wait| {
        let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        Micros::now().plus_millis(millis)
    });
    BlockFault { failure, report: Box::new(report) }
}

/// Of a block that was stopped: the leads that the provider has told of.
fn heard<M>(task: &Task, leads: Vec<Lead>, answers: Answers<M>) -> (Vec<Lead>, Answers<M>) {
    if !task.stop.is_cancelled() {
        return (leads, answers);
    }
    let told = |answer: &Result<_, ProviderError>| answer.as_ref().map_or_else(|e| e.asked == Asked::Yes, |_| true);
    leads.into_iter().zip(answers).filter(|(_, answer)| told(answer)).unzip()
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
            Err(error) => outcome.failed(&FailedLine::unanswered(lead, error)).await?,
        }
    }
    if matched.is_empty() {
        return Ok(());
    }
    matched.sort_by_key(|lead| lead.lead_id);
    matched.dedup_by_key(|lead| lead.lead_id);
    let mut tx = tools.pool.begin().await.map_err(database_failed)?;
    if !task.booked_later() {
        outcome::book(&mut tx, task.tenant, &matched).await.map_err(database_failed)?;
    }
    S::keep(&mut tx, task, &matched).await.map_err(database_failed)?;
    tx.commit().await.map_err(database_failed)
}

/// The provider as `block:started` names it; a config that names none that can do it is told by the block itself.
pub(super) fn provider_of<S: Source>(task: &Task) -> String {
    provider::of_stage(S::STAGE, &task.spec.config).map_or_else(|_| "none".into(), |name| name.to_string())
}
