//! Calls in batches, several at once; each paid answer is stored before the next step of its block.

use std::{future::Future, sync::OnceLock, time::Duration};

use futures::{StreamExt, future::BoxFuture, stream};
use luci_schema::FailureCode;
use tokio_util::sync::CancellationToken;

use crate::{
    answer::{Answer, Answers, LookupContext},
    call::{Charge, Quota},
    error::ProviderError,
    lookup_api::{LookupApi, LookupOutcome},
    pending_lookups::PendingLookups,
    result_writer::{ResultWriter, ResultWriterError},
    results::{PaidAnswer, PaidCall},
};

/// The calls of one lookup.
pub struct CallBatches<'a> {
    pub writer: &'a ResultWriter,
    pub context: LookupContext<'a>,
    /// Calls at once.
    pub in_flight: usize,
    /// An error that every further call would meet: no new call is begun.
    pub stopped_by: OnceLock<ProviderError>,
}

impl CallBatches<'_> {
    /// Calls for `positions` and sets their answers.
    pub async fn execute_all<A: LookupApi>(&self, api: &A, lookups: &mut PendingLookups<'_, A>, positions: &[usize]) {
        let mut calls = stream::iter(batches::<A>(positions))
            .map(|batch| {
                let query = |n: &usize| (&lookups.queries[*n], lookups.digests[*n].as_str());
                let queries: Vec<(&A::Query, &str)> = batch.iter().map(query).collect();
                async move { (batch, self.execute_batch(api, queries).await) }
            })
            .buffer_unordered(self.in_flight);
        let mut answered = Vec::with_capacity(positions.len());
        while let Some((batch, answers)) = calls.next().await {
            answered.extend(batch.into_iter().zip(answers));
        }
        drop(calls);
        for (n, answer) in answered {
            lookups.answers[n] = Some(answer);
        }
    }

    async fn execute_batch<A: LookupApi>(&self, api: &A, batch: Vec<(&A::Query, &str)>) -> Answers<A::Match> {
        if let Some(error) = self.stopped_by.get() {
            return batch.iter().map(|_| Err(error.clone().not_made())).collect();
        }
        let queries: Vec<&A::Query> = batch.iter().map(|(query, _)| *query).collect();
        let charge = Charge { context: self.context, stage: A::STAGE, people: queries.len(), quota: Quota::Taken };
        let outcomes = execute(api, charge, &queries).await;
        for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            if error.code == FailureCode::Auth || error.stops_block() {
                // Only the first is kept.
                let _ = self.stopped_by.set(error.clone());
            }
        }
        let (price, paid_by) = (A::PRICE.pinned(self.context.prices), Some(self.context.release));
        let answers: Answers<A::Match> = outcomes
            .into_iter()
            .zip(&batch)
            .map(|(outcome, (_, digest))| {
                let found = outcome?;
                let cost_micros = if found.is_some() { price } else { 0 };
                Ok(Answer { found, cost_micros, paid_by, request_digest: (*digest).to_owned() })
            })
            .collect();
        self.store::<A>(&batch, &answers).await;
        answers
    }

    /// Returns when the answers are stored, refused for good, or the block is stopped. In the latter two cases they are used
    /// by this block, and bought again by the next one.
    async fn store<A: LookupApi>(&self, batch: &[(&A::Query, &str)], answers: &Answers<A::Match>) {
        let LookupContext { tenant, root_run, release, .. } = self.context;
        let mut paid = Vec::with_capacity(answers.len());
        for ((query, digest), answer) in batch.iter().zip(answers) {
            let Ok(answer) = answer else { continue };
            match serde_json::to_string(&answer.found) {
                Ok(outcome) => paid.push(PaidAnswer {
                    lead_id: A::lead(query),
                    request_digest: (*digest).to_owned(),
                    outcome,
                    cost_micros: answer.cost_micros,
                    paid_by: answer.paid_by,
                }),
                Err(error) => tracing::error!(
                    tenant.id = %tenant, root_run.id = %root_run, lead.id = %A::lead(query), %error,
                    "paid answer not stored: it cannot be encoded"
                ),
            }
        }
        if paid.is_empty() {
            return;
        }
        let (provider, count) = (A::PRICE.provider, paid.len());
        let call = PaidCall { tenant, root_run, stage: A::STAGE, provider, answers: paid };
        let stored = store_until(self.context.stop, FIRST_PAUSE, |tries| {
            let (writer, call) = (self.writer, call.clone());
            async move {
                let result = writer.write(call).await;
                if let Err(error) = &result {
                    tracing::warn!(
                        tenant.id = %tenant, root_run.id = %root_run, release.id = %release, provider,
                        stage = A::STAGE.as_str(), answers = count, tries, %error, "paid answers not stored yet"
                    );
                }
                result
            }
        });
        if let Err(error) = stored.await {
            tracing::error!(
                tenant.id = %tenant, root_run.id = %root_run, release.id = %release, provider,
                stage = A::STAGE.as_str(), answers = count, %error, "paid answers not stored: a later block buys them again"
            );
        }
    }
}

/// Between two tries to store answers: doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Tries until the answers are stored, an error is permanent, or `stop` is cancelled; returns the last error. `store` gets
/// the number of the try, from 1.
async fn store_until<F: Future<Output = Result<(), ResultWriterError>>>(
    stop: &CancellationToken,
    first_pause: Duration,
    store: impl Fn(u32) -> F,
) -> Result<(), ResultWriterError> {
    let (mut pause, mut tries) = (first_pause, 1);
    loop {
        match store(tries).await {
            Err(error) if error.is_permanent() || stop.is_cancelled() => return Err(error),
            Err(_) => {}
            Ok(()) => return Ok(()),
        }
        // A stopped block tries once more, without waiting.
        let _stopped = tokio::time::timeout(pause, stop.cancelled()).await;
        (pause, tries) = ((pause * 2).min(MAX_PAUSE), tries + 1);
    }
}

/// Calls; a batch that is refused as a whole is halved until the wrong query stands alone.
fn execute<'a, A: LookupApi>(
    api: &'a A,
    charge: Charge<'a>,
    queries: &'a [&'a A::Query],
) -> BoxFuture<'a, Vec<LookupOutcome<A::Match>>> {
    Box::pin(async move {
        match api.call(charge.for_people(queries.len()), queries).await {
            Ok(outcomes) => outcomes,
            Err(error) if queries.len() > 1 && matches!(error.reason.http_status(), Some(400 | 422)) => {
                let (left, right) = queries.split_at(queries.len() / 2);
                // The provider counts the same people again.
                let retry = Charge { quota: Quota::Due, ..charge };
                let mut outcomes = execute(api, retry, left).await;
                outcomes.extend(execute(api, retry, right).await);
                outcomes
            }
            Err(error) => queries.iter().map(|_| Err(error.clone())).collect(),
        }
    })
}

fn batches<A: LookupApi>(mut positions: &[usize]) -> Vec<Vec<usize>> {
    let mut batches = Vec::new();
    while !positions.is_empty() {
        let (batch, rest) = positions.split_at(A::batch(positions.len()).clamp(1, positions.len()));
        batches.push(batch.to_vec());
        positions = rest;
    }
    batches
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    const NO_PAUSE: Duration = Duration::from_micros(1);

    fn database_away() -> ResultWriterError {
        ResultWriterError::Database(Arc::new(sqlx::Error::PoolTimedOut))
    }

    #[tokio::test]
    async fn paid_answers_are_stored_however_long_the_database_is_away() {
        let (stop, tries) = (CancellationToken::new(), AtomicU32::new(0));
        let stored = store_until(&stop, NO_PAUSE, async |n| {
            tries.store(n, Ordering::Relaxed);
            if n < 12 { Err(database_away()) } else { Ok(()) }
        });
        stored.await.expect("stored in the end");
        assert_eq!(tries.load(Ordering::Relaxed), 12);
    }

    #[tokio::test]
    async fn a_stopped_block_tries_once_more_and_returns() {
        let (stop, tries) = (CancellationToken::new(), AtomicU32::new(0));
        let stored = store_until(&stop, Duration::from_secs(3_600), async |n| {
            tries.store(n, Ordering::Relaxed);
            if n == 1 {
                stop.cancel();
                return Err(ResultWriterError::Interrupted);
            }
            Err(database_away())
        });
        stored.await.expect_err("stopped");
        assert!(tries.load(Ordering::Relaxed) <= 2);
    }
}
