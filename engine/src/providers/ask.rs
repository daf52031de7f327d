//! Asking a provider for many leads: answers already paid for first, the rest in batches, each stored as it arrives.

use std::{
    collections::{HashMap, hash_map::Entry},
    future::Future,
    sync::OnceLock,
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture, stream};
use luci_schema::{FailureCode, LeadId, RunId, Stage};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use super::results::{self, Paid};
use crate::provider::{Answer, Answers, Asking, Price, ProviderError};

/// What an adapter answers for one lead: the person, or that there is none, or why there is no answer.
pub type Outcome<M> = Result<Option<M>, ProviderError>;

/// One API of a provider.
pub trait Api: Sync {
    type Query: Serialize + Sync;
    type Match: Serialize + DeserializeOwned + Clone + Send;
    const PRICE: Price;
    const STAGE: Stage;

    fn lead(query: &Self::Query) -> LeadId;
    /// How many of `left` queries go into the next call.
    fn batch(left: usize) -> usize;
    /// One call for all queries of a batch: an outcome for each, in their order, or one error for all.
    fn call(
        &self,
        correlation: &str,
        queries: &[&Self::Query],
    ) -> impl Future<Output = Result<Vec<Outcome<Self::Match>>, ProviderError>> + Send;
}

pub struct Asker {
    pool: PgPool,
    in_flight: usize,
}

/// Whose money is spent, and what stopped it.
struct Spending<'a> {
    pool: &'a PgPool,
    asking: Asking<'a>,
    /// An error that the next call would meet as well: calls not yet begun are not made.
    stopped: OnceLock<ProviderError>,
}

impl Asker {
    pub fn new(pool: PgPool, in_flight: usize) -> Self {
        Self { pool, in_flight: in_flight.max(1) }
    }

    pub async fn ask<A: Api>(&self, api: Option<&A>, asking: Asking<'_>, queries: &[A::Query]) -> Answers<A::Match> {
        let mut answers: Vec<Option<Result<Answer<A::Match>, ProviderError>>> = Vec::new();
        let digests: Vec<String> = queries.iter().map(digest::<A>).collect();
        match self.paid::<A>(asking, queries).await {
            Ok(paid) => {
                let known = queries.iter().zip(&digests);
                answers.extend(known.map(|(q, digest)| paid.get(&(A::lead(q), digest.clone())).cloned().map(Ok)));
            }
            // Without the answers already paid for, asking could pay twice.
            Err(error) => return queries.iter().map(|_| Err(unread::<A>(&error))).collect(),
        }
        let mut first: HashMap<(LeadId, &str), usize> = HashMap::new();
        let mut same: Vec<(usize, usize)> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for n in (0..queries.len()).filter(|n| answers[*n].is_none()) {
            match first.entry((A::lead(&queries[n]), digests[n].as_str())) {
                Entry::Vacant(free) => open.push(*free.insert(n)),
                Entry::Occupied(asked) => same.push((n, *asked.get())),
            }
        }
        let spending = Spending { pool: &self.pool, asking, stopped: OnceLock::new() };
        let mut calls = stream::iter(batches::<A>(&open))
            .map(|batch| {
                let asked: Vec<(&A::Query, &str)> =
                    batch.iter().map(|n| (&queries[*n], digests[*n].as_str())).collect();
                let spending = &spending;
                async move { (batch, spending.batch(api, asked).await) }
            })
            .buffer_unordered(self.in_flight);
        while let Some((batch, outcomes)) = calls.next().await {
            for (n, outcome) in batch.into_iter().zip(outcomes) {
                answers[n] = Some(outcome);
            }
        }
        drop(calls);
        // Two rows of one lead that ask the same are asked once.
        for (n, asked) in same {
            answers[n] = answers[asked].clone();
        }
        answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(missing::<A>()))).collect()
    }

    async fn paid<A: Api>(
        &self,
        asking: Asking<'_>,
        queries: &[A::Query],
    ) -> Result<HashMap<(LeadId, String), Answer<A::Match>>, sqlx::Error> {
        if queries.is_empty() {
            return Ok(HashMap::new());
        }
        let leads: Vec<LeadId> = queries.iter().map(A::lead).collect();
        let mut connection = self.pool.acquire().await?;
        let stored = results::of_leads(&mut connection, asking.tenant, asking.root_run, A::STAGE, &leads).await?;
        // An outcome that an older version wrote and this one cannot read is asked again.
        let readable = stored.into_iter().filter_map(|paid| {
            let found = serde_json::from_str(&paid.outcome).ok()?;
            let request_digest = paid.request_digest.clone();
            let answer = Answer { found, cost_micros: paid.cost_micros, paid_by: paid.paid_by, request_digest };
            Some(((paid.lead_id, paid.request_digest), answer))
        });
        Ok(readable.collect())
    }
}

impl Spending<'_> {
    async fn batch<A: Api>(&self, api: Option<&A>, asked: Vec<(&A::Query, &str)>) -> Answers<A::Match> {
        let Some(api) = api else {
            let error = error::<A>(FailureCode::Auth, "not_configured");
            return asked.iter().map(|_| Err(error.clone())).collect();
        };
        if let Some(error) = self.stopped.get() {
            return asked.iter().map(|_| Err(error.clone())).collect();
        }
        let queries: Vec<&A::Query> = asked.iter().map(|(query, _)| *query).collect();
        let outcomes = carry(api, self.asking.root_run, &queries).await;
        for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            if matches!(error.code, FailureCode::Auth | FailureCode::RateLimit) {
                // Only the first is kept; a second says the same.
                let _ = self.stopped.set(error.clone());
            }
        }
        let (price, paid_by) = (A::PRICE.pinned(self.asking.prices), Some(self.asking.release));
        let answers: Answers<A::Match> = outcomes
            .into_iter()
            .zip(&asked)
            .map(|(outcome, (_, digest))| {
                let found = outcome?;
                let cost_micros = if found.is_some() { price } else { 0 };
                Ok(Answer { found, cost_micros, paid_by, request_digest: (*digest).to_owned() })
            })
            .collect();
        self.store::<A>(&asked, &answers).await;
        answers
    }

    /// Tried again while the database is busy or away; what cannot be stored in the end is paid for all the same, so the
    /// answers go on.
    async fn store<A: Api>(&self, asked: &[(&A::Query, &str)], answers: &Answers<A::Match>) {
        let paid: Vec<Paid> = asked
            .iter()
            .zip(answers)
            .filter_map(|((query, digest), answer)| {
                let answer = answer.as_ref().ok()?;
                Some(Paid {
                    lead_id: A::lead(query),
                    request_digest: (*digest).to_owned(),
                    outcome: serde_json::to_string(&answer.found).ok()?,
                    cost_micros: answer.cost_micros,
                    paid_by: answer.paid_by,
                })
            })
            .collect();
        let mut pauses = STORE_PAUSES.into_iter();
        while let Err(error) = self.try_store::<A>(&paid).await {
            let Some(pause) = pauses.next() else {
                tracing::error!(provider = A::PRICE.provider, answers = paid.len(), %error, "answers could not be stored");
                return;
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn try_store<A: Api>(&self, paid: &[Paid]) -> Result<(), sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        results::store(&mut connection, &self.asking, A::STAGE, A::PRICE.provider, paid).await
    }
}

/// Between two tries to store answers.
const STORE_PAUSES: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(10)];

/// Calls; a batch that the provider calls wrong as a whole is halved until the lead that is wrong stands alone.
fn carry<'a, A: Api>(
    api: &'a A,
    root_run: RunId,
    queries: &'a [&'a A::Query],
) -> BoxFuture<'a, Vec<Outcome<A::Match>>> {
    Box::pin(async move {
        match api.call(&root_run.to_string(), queries).await {
            Ok(outcomes) => outcomes,
            Err(error) if queries.len() > 1 && matches!(error.reason.as_str(), "http_400" | "http_422") => {
                let (left, right) = queries.split_at(queries.len() / 2);
                let mut outcomes = carry(api, root_run, left).await;
                outcomes.extend(carry(api, root_run, right).await);
                outcomes
            }
            Err(error) => queries.iter().map(|_| Err(error.clone())).collect(),
        }
    })
}

fn batches<A: Api>(mut open: &[usize]) -> Vec<Vec<usize>> {
    let mut batches = Vec::new();
    while !open.is_empty() {
        let (batch, rest) = open.split_at(A::batch(open.len()).clamp(1, open.len()));
        batches.push(batch.to_vec());
        open = rest;
    }
    batches
}

/// SHA-256 (lower hex) of what is asked, which leaves the lead itself out.
fn digest<A: Api>(query: &A::Query) -> String {
    let mut hash = Sha256::new();
    hash.update(A::PRICE.provider);
    hash.update([0x1f]);
    // Fields stand in the order of the struct; none of them can fail.
    hash.update(serde_json::to_vec(query).unwrap_or_default());
    hex::encode(hash.finalize())
}

fn error<A: Api>(code: FailureCode, reason: &str) -> ProviderError {
    ProviderError { provider: A::PRICE.provider, code, reason: reason.into(), detail: None, retry_after: None }
}

fn unread<A: Api>(cause: &sqlx::Error) -> ProviderError {
    ProviderError { detail: Some(cause.to_string()), ..error::<A>(FailureCode::Internal, "answers_unreadable") }
}

fn missing<A: Api>() -> ProviderError {
    error::<A>(FailureCode::ApiError, "missing_answer")
}
