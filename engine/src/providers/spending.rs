//! Calls made, several at once, and each answer stored as it arrives.

use std::{sync::OnceLock, time::Duration};

use futures::{StreamExt, future::BoxFuture, stream};
use luci_schema::FailureCode;

use super::{
    Errand, Toll,
    ask::{Api, Outcome, Questions},
    filing::Filing,
    results::{Paid, PaidCall},
};
use crate::provider::{Answer, Answers, Asked, Asking, ProviderError};

/// Whose money is spent, and what stopped it.
pub struct Spending<'a> {
    pub filing: &'a Filing,
    pub asking: Asking<'a>,
    /// Calls that are out at once.
    pub in_flight: usize,
    /// An error that the next call would meet as well: calls not yet begun are not made.
    pub stopped: OnceLock<ProviderError>,
}

impl Spending<'_> {
    /// Calls for all of these, several at once.
    pub async fn all<A: Api>(&self, api: &A, asked: &mut Questions<'_, A>, now: &[usize]) {
        let mut calls = stream::iter(batches::<A>(now))
            .map(|batch| {
                let of = |n: &usize| (&asked.queries[*n], asked.digests[*n].as_str());
                let asked: Vec<(&A::Query, &str)> = batch.iter().map(of).collect();
                async move { (batch, self.batch(api, asked).await) }
            })
            .buffer_unordered(self.in_flight);
        let mut answered = Vec::with_capacity(now.len());
        while let Some((batch, outcomes)) = calls.next().await {
            answered.extend(batch.into_iter().zip(outcomes));
        }
        drop(calls);
        for (n, outcome) in answered {
            asked.answers[n] = Some(outcome);
        }
    }

    async fn batch<A: Api>(&self, api: &A, asked: Vec<(&A::Query, &str)>) -> Answers<A::Match> {
        if let Some(error) = self.stopped.get() {
            let error = ProviderError { asked: Asked::No, ..error.clone() };
            return asked.iter().map(|_| Err(error.clone())).collect();
        }
        let queries: Vec<&A::Query> = asked.iter().map(|(query, _)| *query).collect();
        let errand = Errand { asking: self.asking, people: queries.len(), toll: Toll::Paid };
        let outcomes = carry(api, errand, &queries).await;
        for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            if error.code == FailureCode::Auth || error.closes_the_door() {
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
        if paid.is_empty() {
            return;
        }
        let Asking { tenant, root_run, .. } = self.asking;
        let call = PaidCall { tenant, root_run, stage: A::STAGE, provider: A::PRICE.provider, answers: paid };
        let mut pauses = STORE_PAUSES.into_iter();
        while let Err(error) = self.filing.file(call.clone()).await {
            let Some(pause) = pauses.next() else {
                let (provider, answers) = (call.provider, call.answers.len());
                tracing::error!(provider, answers, %error, "answers could not be stored");
                return;
            };
            tokio::time::sleep(pause).await;
        }
    }
}

/// Between two tries to store answers.
const STORE_PAUSES: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(10)];

/// Calls; a batch that the provider calls wrong as a whole is halved until the lead that is wrong stands alone.
fn carry<'a, A: Api>(
    api: &'a A,
    errand: Errand<'a>,
    queries: &'a [&'a A::Query],
) -> BoxFuture<'a, Vec<Outcome<A::Match>>> {
    Box::pin(async move {
        match api.call(errand.about(queries.len()), queries).await {
            Ok(outcomes) => outcomes,
            Err(error) if queries.len() > 1 && matches!(error.reason.as_str(), "http_400" | "http_422") => {
                let (left, right) = queries.split_at(queries.len() / 2);
                // The provider is asked about the same people once more.
                let again = Errand { toll: Toll::Due, ..errand };
                let mut outcomes = carry(api, again, left).await;
                outcomes.extend(carry(api, again, right).await);
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
