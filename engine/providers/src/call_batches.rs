//! Calls in batches, several at once. Each is recorded before it is made, and each paid answer is stored before the next step of
//! its block.

use std::{
    collections::HashSet,
    sync::{OnceLock, atomic::AtomicU32},
};

use futures::{StreamExt, future::BoxFuture, stream};
use luci_schema::{FailureCode, LeadId, LookupId};

use crate::{
    answer::{Answer, Answers, LookupContext},
    call::{Charge, Quota},
    error::ProviderError,
    lookup_api::{LookupApi, LookupOutcome, not_called},
    pending_lookups::PendingLookups,
    reason::Reason,
    result_writer::ResultWriter,
    results::{BegunCall, PaidAnswer, PaidCall},
    stored::{self, StoredAnswers},
    write_until::{FIRST_PAUSE, write_until},
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

    /// What the lineage has by now comes from the table, the rest from one call.
    async fn execute_batch<A: LookupApi>(&self, api: &A, batch: Vec<(&A::Query, &str)>) -> Answers<A::Match> {
        if let Some(error) = self.stopped_by.get() {
            return batch.iter().map(|_| Err(error.clone().not_made())).collect();
        }
        let id = if A::RESUMES { LookupId::from_ulid(self.context.root_run.ulid()) } else { LookupId::generate() };
        let mut stored = match self.begin::<A>(id, &batch).await {
            Ok(stored) => stored,
            Err(error) => return batch.iter().map(|_| Err(error.clone())).collect(),
        };
        let open = batch.iter().zip(0..).filter(|((query, digest), _)| !stored.contains_key(&key::<A>(query, digest)));
        let open: Vec<(&A::Query, &str)> = open.map(|(query, _)| *query).collect();
        let mut called = if open.is_empty() { Vec::new() } else { self.call(api, id, open).await }.into_iter();
        let missing = || Err(ProviderError::new(A::PROVIDER, FailureCode::ApiError, Reason::MissingAnswer));
        let answer = |(query, digest): &(&A::Query, &str)| {
            stored.remove(&key::<A>(query, digest)).or_else(|| called.next()).unwrap_or_else(missing)
        };
        batch.iter().map(answer).collect()
    }

    /// Records the call; returns the answers that are stored already.
    async fn begin<A: LookupApi>(
        &self,
        id: LookupId,
        batch: &[(&A::Query, &str)],
    ) -> Result<StoredAnswers<A::Match>, ProviderError> {
        let LookupContext { tenant, root_run, .. } = self.context;
        let price_micros = A::PRICE.pinned(self.context.prices);
        let queries: Vec<_> = batch.iter().map(|(query, digest)| key::<A>(query, digest)).collect();
        let (stage, provider) = (A::STAGE, A::PRICE.provider);
        let call = BegunCall { id, tenant, root_run, stage, provider, price_micros, queries };
        let begun = write_until(self.context.stop, FIRST_PAUSE, |_| self.writer.begin(call.clone())).await;
        let rows = begun.map_err(|error| {
            let error = ProviderError { detail: Some(error.to_string()), ..not_recorded::<A>() };
            tracing::warn!(tenant.id = %tenant, root_run.id = %root_run, %error, "call not made: it cannot be recorded");
            error
        })?;
        let keys: HashSet<(LeadId, String)> = call.queries.into_iter().collect();
        Ok(stored::decode::<A>(&self.context, &keys, rows.into_iter().flatten().collect()))
    }

    /// One call whose answers are stored.
    async fn call<A: LookupApi>(&self, api: &A, id: LookupId, batch: Vec<(&A::Query, &str)>) -> Answers<A::Match> {
        let queries: Vec<&A::Query> = batch.iter().map(|(query, _)| *query).collect();
        let (context, people, unanswered) = (self.context, queries.len(), AtomicU32::new(0));
        let charge = Charge { context, stage: A::STAGE, people, quota: Quota::Taken, unanswered: &unanswered };
        let outcomes = execute(api, charge, &queries).await;
        for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            if error.code == FailureCode::Auth || error.stops_block() {
                // Only the first is kept.
                let _ = self.stopped_by.set(error.clone());
            }
        }
        let unanswered = unanswered.into_inner();
        self.close::<A>(id, unanswered, &batch, &outcomes).await;
        let (price, paid_by) = (A::PRICE.pinned(self.context.prices), Some(self.context.release));
        let mut answers: Answers<A::Match> = outcomes
            .into_iter()
            .zip(&batch)
            .map(|(outcome, (_, digest))| {
                let found = outcome?;
                let cost_micros = if found.is_some() { price } else { 0 };
                Ok(Answer { found, cost_micros, paid_by, request_digest: (*digest).to_owned() })
            })
            .collect();
        self.store::<A>(id, unanswered, &batch, &mut answers).await;
        answers
    }

    /// Queries without an answer: they stay recorded as far as they may have been paid.
    async fn close<A: LookupApi>(
        &self,
        id: LookupId,
        unanswered: u32,
        batch: &[(&A::Query, &str)],
        outcomes: &[LookupOutcome<A::Match>],
    ) {
        let failed = batch.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_err());
        let failed: Vec<(LeadId, &str)> = failed.map(|((query, digest), _)| (A::lead(query), *digest)).collect();
        // One request without an answer is how the call was recorded.
        if failed.is_empty() || unanswered == 1 {
            return;
        }
        let LookupContext { tenant, root_run, .. } = self.context;
        if let Err(error) = self.writer.close((tenant, root_run), A::STAGE, id, (&failed, unanswered)).await {
            tracing::warn!(
                tenant.id = %tenant, root_run.id = %root_run, %error, "call stays recorded as one that may be paid"
            );
        }
    }

    /// Returns when the answers are stored, refused for good, or the block is stopped. In the latter two cases they are used
    /// by this block, and bought again by the next one, which counts that. Sets the costs that the block has to report.
    async fn store<A: LookupApi>(
        &self,
        id: LookupId,
        unanswered: u32,
        batch: &[(&A::Query, &str)],
        answers: &mut Answers<A::Match>,
    ) {
        let LookupContext { tenant, root_run, release, .. } = self.context;
        let (mut paid, mut positions) = (Vec::with_capacity(answers.len()), Vec::with_capacity(answers.len()));
        for (n, ((query, digest), answer)) in batch.iter().zip(answers.iter()).enumerate() {
            let Ok(answer) = answer else { continue };
            match serde_json::to_string(&answer.found) {
                Ok(outcome) => {
                    positions.push(n);
                    paid.push(PaidAnswer {
                        lead_id: A::lead(query),
                        request_digest: (*digest).to_owned(),
                        outcome,
                        cost_micros: answer.cost_micros,
                        paid_by: answer.paid_by,
                    });
                }
                Err(error) => tracing::error!(
                    tenant.id = %tenant, root_run.id = %root_run, lead.id = %A::lead(query), %error,
                    "paid answer not stored: it cannot be encoded"
                ),
            }
        }
        if paid.is_empty() {
            return;
        }
        let (stage, provider, count) = (A::STAGE, A::PRICE.provider, paid.len());
        let call = PaidCall { id: Some(id), tenant, root_run, stage, provider, unanswered, answers: paid };
        let stored = write_until(self.context.stop, FIRST_PAUSE, |tries| {
            let (writer, call) = (self.writer, call.clone());
            async move {
                let result = writer.write(call).await;
                if let Err(error) = &result {
                    tracing::warn!(
                        tenant.id = %tenant, root_run.id = %root_run, release.id = %release, provider,
                        stage = stage.as_str(), answers = count, tries, %error, "paid answers not stored yet"
                    );
                }
                result
            }
        });
        match stored.await {
            Ok(costs) => {
                for (n, cost) in positions.into_iter().zip(costs) {
                    if let Ok(answer) = &mut answers[n] {
                        answer.cost_micros = cost.reported_micros;
                    }
                }
            }
            Err(error) => tracing::error!(
                tenant.id = %tenant, root_run.id = %root_run, release.id = %release, provider,
                stage = stage.as_str(), answers = count, %error, "paid answers not stored: a later block buys them again"
            ),
        }
    }
}

fn key<A: LookupApi>(query: &A::Query, digest: &str) -> (LeadId, String) {
    (A::lead(query), digest.to_owned())
}

/// Without the record, a payment that is repeated could not be counted.
fn not_recorded<A: LookupApi>() -> ProviderError {
    not_called::<A>(FailureCode::Internal, Reason::NotRecorded)
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
