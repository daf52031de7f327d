//! The answers of submitted leads: the state of each query, waiting, reading.

use std::{collections::HashMap, time::Duration};

use luci_leads::enrich::{found::TraceMatch, query::TraceQuery};
use luci_schema::{FailureCode, KeyId, LeadId, TenantId};

use crate::{
    answer::{Answer, Answers, LookupContext},
    apis::realestate::RealEstate,
    async_batches::{self, BatchedLead},
    error::{CallState, ProviderError},
    lookup::LookupClient,
    lookup_api::{LookupApi, database_failed, digest},
    reason::Reason,
    results,
    stored::StoredAnswers,
};

/// The least time between two polls of the database.
const MIN_POLL: Duration = Duration::from_millis(20);

/// A lead, and the digest of its query.
pub(super) type QueryKey<'a> = (LeadId, &'a str);

pub(super) enum QueryState {
    Answered(Answer<TraceMatch>),
    /// In this open batch.
    Awaited(KeyId),
    /// There is no answer, and this release does not try again.
    Failed(ProviderError),
    Open,
}

/// What is stored of some queries.
pub(super) struct QueryStates {
    answers: StoredAnswers<TraceMatch>,
    batched: HashMap<(LeadId, String), Vec<BatchedLead>>,
}

impl QueryStates {
    /// An answer comes first; then a batch that is still open; then what this release itself submitted without an answer. A
    /// closed batch of an earlier release is ignored.
    pub(super) fn of(&self, lead: LeadId, digest: &str) -> QueryState {
        let key = (lead, digest.to_owned());
        match self.answers.get(&key) {
            Some(Ok(answer)) => return QueryState::Answered(answer.clone()),
            Some(Err(error)) => return QueryState::Failed(error.clone()),
            None => {}
        }
        let batched = self.batched.get(&key).map_or(&[][..], Vec::as_slice);
        if let Some(lead) = batched.iter().find(|lead| lead.awaited) {
            return QueryState::Awaited(lead.batch);
        }
        match batched.iter().find(|lead| lead.own) {
            None => QueryState::Open,
            Some(BatchedLead { failure: Some(failure), .. }) => {
                QueryState::Failed(failure.clone().into_error(async_batches::PROVIDER))
            }
            Some(BatchedLead { completed: true, .. }) => {
                QueryState::Failed(error(FailureCode::ApiError, Reason::MissingAnswer))
            }
            Some(_) => QueryState::Failed(overdue()),
        }
    }

    /// The error of a stored answer that cannot be decoded.
    pub(super) fn unreadable(&self) -> Option<ProviderError> {
        self.answers.values().find_map(|answer| answer.as_ref().err()).cloned()
    }
}

impl LookupClient {
    /// Polls; continues while the database is unavailable.
    pub async fn wait_for_batches(&self, tenant: TenantId, batches: &[KeyId]) {
        loop {
            tokio::time::sleep(self.retry.poll.max(MIN_POLL)).await;
            let open = async {
                let mut c = self.pool.acquire().await?;
                async_batches::any_awaited(&mut c, tenant, batches).await
            };
            match open.await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(tenant.id = %tenant, %error, "poll of async batches failed"),
            }
        }
    }

    pub async fn collect(
        &self,
        context: LookupContext<'_>,
        queries: &[TraceQuery],
        stopped_by: Option<&ProviderError>,
    ) -> Answers<TraceMatch> {
        let digests: Vec<String> = queries.iter().map(digest::<RealEstate>).collect();
        let states = async {
            async_batches::close(&mut *self.pool.acquire().await?, context.tenant, context.release).await?;
            self.query_states(context, queries, &digests).await
        };
        let states = match states.await {
            Ok(states) => states,
            Err(error) => return queries.iter().map(|_| Err(database_failed::<RealEstate>(&error))).collect(),
        };
        let mut open: Vec<TraceQuery> = Vec::new();
        let answers = queries.iter().zip(&digests).map(|(query, digest)| match states.of(query.lead_id, digest) {
            QueryState::Answered(answer) => Some(Ok(answer)),
            QueryState::Awaited(_) => Some(Err(overdue())),
            QueryState::Failed(error) => Some(Err(error)),
            QueryState::Open => {
                open.push(query.clone());
                None
            }
        });
        let answers: Vec<Option<_>> = answers.collect();
        let stopped_by = stopped_by.cloned().or_else(|| states.unreadable());
        let mut looked_up = match stopped_by {
            Some(error) => open.iter().map(|_| Err(error.clone().not_made())).collect(),
            None => self.lookup::<RealEstate>(context, &open).await,
        }
        .into_iter();
        let missing = || Err(error(FailureCode::ApiError, Reason::MissingAnswer));
        answers.into_iter().map(|answer| answer.or_else(|| looked_up.next()).unwrap_or_else(missing)).collect()
    }

    /// Answers that arrived after their block had ended are paid for by this release from now on.
    pub(super) async fn query_states(
        &self,
        context: LookupContext<'_>,
        queries: &[TraceQuery],
        digests: &[String],
    ) -> Result<QueryStates, sqlx::Error> {
        let leads: Vec<LeadId> = queries.iter().map(|query| query.lead_id).collect();
        let mut c = self.pool.acquire().await?;
        let mut batched: HashMap<(LeadId, String), Vec<BatchedLead>> = HashMap::new();
        for lead in async_batches::of_leads(&mut c, &context, &leads).await? {
            batched.entry((lead.lead, lead.digest.clone())).or_default().push(lead);
        }
        let keys: Vec<QueryKey> = queries
            .iter()
            .zip(digests)
            .filter(|(query, digest)| batched.contains_key(&(query.lead_id, (*digest).clone())))
            .map(|(query, digest)| (query.lead_id, digest.as_str()))
            .collect();
        if !keys.is_empty() {
            let lineage = (context.tenant, context.root_run);
            results::adopt(&mut c, lineage, RealEstate::STAGE, context.release, &keys).await?;
        }
        drop(c);
        Ok(QueryStates { answers: self.stored_answers::<RealEstate>(context, queries).await?, batched })
    }
}

pub(super) fn error(code: FailureCode, reason: Reason) -> ProviderError {
    ProviderError::new(RealEstate::PROVIDER, code, reason)
}

/// It was submitted, and no answer arrived by the deadline.
fn overdue() -> ProviderError {
    ProviderError { call: CallState::AnswerOverdue, ..error(FailureCode::Timeout, Reason::NoAnswerByDeadline) }
}
