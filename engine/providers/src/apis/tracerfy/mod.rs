//! Tracerfy: leads are uploaded as a queue of at least ten rows; the queue is polled until it is done.
//!
//! Answered rows are matched by the names and addresses that were uploaded. An upload is paid for: it is recorded before it is
//! made, and one whose answer was lost is searched for (`unconfirmed`) before it is repeated.

mod rows;
mod unconfirmed;

use std::collections::BTreeMap;

use luci_leads::enrich::{found::TraceMatch, query::TraceQuery};
use luci_schema::{FailureCode, LeadId, Micros, Stage};
use reqwest::multipart::Form;
use serde_json::{Value, json};
use tokio::time::Instant;

use self::rows::{IDENTITY, by_person, row};
use crate::{
    call::{Caller, Charge},
    descriptor::{Descriptor, env_names},
    error::ProviderError,
    fields::number,
    lookup_api::{LookupApi, LookupOutcome, database_failed, digest},
    name::ProviderName,
    price::Price,
    provider::{Capabilities, Lookup, Provider},
    reason::Reason,
    send::{self, SendError},
    trace_queues::{self, QueryKey, Upload},
};

const NAME: &str = "tracerfy";
const TRACE_PRICE: Price = Price { provider: NAME, unit: "normal_trace", micros: 20_000 };

static DESCRIPTOR: Descriptor = Descriptor::new(NAME, env_names!("TRACERFY"), "https://tracerfy.com");

impl ProviderName {
    pub const TRACERFY: Self = Self::new(&DESCRIPTOR);
}

pub static PROVIDER: Provider = Provider {
    name: ProviderName::TRACERFY,
    capabilities: Capabilities { skip_trace: Some(Lookup::of::<Tracerfy>()), ..Capabilities::NONE },
};

const QUEUE: usize = 250;
/// A shorter queue is refused: its rows are repeated.
const SHORTEST_QUEUE: usize = 10;

pub struct Tracerfy(Caller);

impl Tracerfy {
    /// Returns the queue's number.
    async fn upload(&self, charge: Charge<'_>, rows: &[Value]) -> Result<u64, SendError> {
        let (url, rows) = (self.0.url("/v1/api/trace/"), json!(rows).to_string());
        let form = || {
            let columns = IDENTITY.iter().fold(Form::new(), |form, name| form.text(format!("{name}_column"), *name));
            columns.text("trace_type", "normal").text("json_data", rows.clone())
        };
        let answer = self.0.submit(charge, |client| client.post(&url).bearer_auth(self.0.key()).multipart(form()));
        number(&answer.await?, "queue_id").ok_or_else(|| send::missing_id(Self::PROVIDER.as_str()))
    }

    /// Polls until the queue is done.
    async fn rows(&self, charge: Charge<'_>, queue: u64) -> Result<Vec<Value>, ProviderError> {
        let charge = charge.for_people(0);
        let (url, until) =
            (self.0.url(&format!("/v1/api/queue/{queue}")), Instant::now() + self.0.retry().poll_timeout);
        loop {
            match self.0.request(charge, |client| client.get(&url).bearer_auth(self.0.key())).await? {
                Value::Array(rows) if !rows.is_empty() => return Ok(rows),
                Value::Array(_) => {}
                Value::Object(state) if state.get("pending").and_then(Value::as_bool) != Some(false) => {}
                _ => return Err(error(FailureCode::ApiError, Reason::BadAnswer)),
            }
            if Instant::now() >= until {
                return Err(error(FailureCode::Timeout, Reason::QueuePending));
            }
            tokio::time::sleep(self.0.retry().poll).await;
        }
    }

    /// Records the queries, uploads them, records their queue, and reads it. An upload whose answer was lost is searched for, and
    /// not repeated by this attempt: it may appear late.
    async fn upload_and_read(
        &self,
        charge: Charge<'_>,
        queries: &[&TraceQuery],
    ) -> Result<Vec<LookupOutcome<TraceMatch>>, ProviderError> {
        let rows: Vec<Value> = queries.iter().cycle().take(queries.len().max(SHORTEST_QUEUE)).map(|q| row(q)).collect();
        let begun = (Micros::now().date_time(), rows.len() as u64);
        self.record(charge, None, queries).await.map_err(|error| database_failed::<Self>(&error))?;
        match self.upload(charge.for_people(queries.len()), &rows).await {
            Ok(queue) => {
                if let Err(error) = self.record(charge, Some(queue), queries).await {
                    tracing::error!(
                        tenant.id = %charge.context.tenant, root_run.id = %charge.context.root_run, queue, %error,
                        "number of an uploaded queue not recorded"
                    );
                }
                Ok(by_person(&self.rows(charge, queue).await?, queries))
            }
            Err(SendError::Refused(error)) => {
                self.delete_uploads(charge, queries.iter().map(|query| key(query)).collect()).await;
                Err(error)
            }
            Err(SendError::Unknown(error)) => {
                tracing::warn!(
                    tenant.id = %charge.context.tenant, root_run.id = %charge.context.root_run, rows = rows.len(), %error,
                    "upload unconfirmed"
                );
                tokio::time::sleep(self.0.retry().base).await;
                self.find(charge, queries, begun).await?.ok_or(error)
            }
        }
    }

    /// Reads a queue that an earlier attempt uploaded. Queries that it does not answer may be uploaded again.
    async fn read_uploaded(
        &self,
        charge: Charge<'_>,
        queue: u64,
        queries: &[&TraceQuery],
    ) -> Vec<LookupOutcome<TraceMatch>> {
        let (finished, outcomes) = match self.rows(charge, queue).await {
            Ok(rows) => (true, by_person(&rows, queries)),
            Err(error) => {
                (error.reason.http_status() == Some(404), queries.iter().map(|_| Err(error.clone())).collect())
            }
        };
        let unanswered = queries.iter().zip(&outcomes).filter(|(_, outcome)| finished && outcome.is_err());
        self.delete_uploads(charge, unanswered.map(|(query, _)| key(query)).collect()).await;
        outcomes
    }

    async fn record(&self, charge: Charge<'_>, queue: Option<u64>, queries: &[&TraceQuery]) -> Result<(), sqlx::Error> {
        let rows = queries.len().max(SHORTEST_QUEUE);
        let keys: Vec<QueryKey> = queries.iter().map(|query| key(query)).collect();
        trace_queues::record(&mut *self.0.pool().acquire().await?, &charge.context, queue, rows, &keys).await
    }

    /// When this fails, the next attempt searches for the queue again, without a result.
    async fn delete_uploads(&self, charge: Charge<'_>, keys: Vec<QueryKey>) {
        if keys.is_empty() {
            return;
        }
        let deleted =
            async { trace_queues::delete(&mut *self.0.pool().acquire().await?, &charge.context, &keys).await };
        if let Err(error) = deleted.await {
            tracing::warn!(
                tenant.id = %charge.context.tenant, root_run.id = %charge.context.root_run, %error, "uploads not deleted"
            );
        }
    }
}

fn key(query: &TraceQuery) -> QueryKey {
    (query.lead_id, digest::<Tracerfy>(query))
}

impl LookupApi for Tracerfy {
    const PROVIDER: ProviderName = ProviderName::TRACERFY;
    type Query = TraceQuery;
    type Match = TraceMatch;
    const PRICE: Price = TRACE_PRICE;
    const STAGE: Stage = Stage::SkipTrace;
    const RESUMES: bool = true;

    fn new(caller: Caller) -> Self {
        Self(caller)
    }

    fn lead(query: &TraceQuery) -> LeadId {
        query.lead_id
    }

    fn batch(remaining: usize) -> usize {
        remaining.min(QUEUE)
    }

    async fn call(
        &self,
        charge: Charge<'_>,
        queries: &[&TraceQuery],
    ) -> Result<Vec<LookupOutcome<TraceMatch>>, ProviderError> {
        let leads: Vec<LeadId> = queries.iter().map(|query| query.lead_id).collect();
        let uploaded =
            async { trace_queues::find_uploads(&mut *self.0.pool().acquire().await?, &charge.context, &leads).await };
        let uploaded = uploaded.await.map_err(|error| database_failed::<Self>(&error))?;
        let mut new: Vec<usize> = Vec::new();
        let mut by_upload: BTreeMap<Upload, Vec<usize>> = BTreeMap::new();
        for (n, query) in queries.iter().enumerate() {
            match uploaded.get(&key(query)) {
                Some(upload) => by_upload.entry(*upload).or_default().push(n),
                None => new.push(n),
            }
        }
        let mut outcomes: Vec<Option<LookupOutcome<TraceMatch>>> = queries.iter().map(|_| None).collect();
        let part = |positions: &[usize]| -> Vec<&TraceQuery> { positions.iter().map(|n| queries[*n]).collect() };
        let mut answer = |positions: Vec<usize>, answers: Vec<LookupOutcome<TraceMatch>>| {
            positions.into_iter().zip(answers).for_each(|(n, answer)| outcomes[n] = Some(answer));
        };
        // An error of the whole call is returned as one: the caller may halve the batch.
        let all_or_each = |positions: &[usize], error: ProviderError| match positions.len() == queries.len() {
            true => Err(error),
            false => Ok(positions.iter().map(|_| Err(error.clone())).collect()),
        };
        for (upload, positions) in by_upload {
            let uploaded = part(&positions);
            let found = match upload {
                Upload::Queue(queue) => Ok(Some(self.read_uploaded(charge, queue, &uploaded).await)),
                Upload::Unconfirmed { since, rows } => self.find(charge, &uploaded, (since, rows)).await,
            };
            match found {
                Ok(Some(answers)) => answer(positions, answers),
                Ok(None) => new.extend(positions),
                Err(error) => {
                    let answers = all_or_each(&positions, error)?;
                    answer(positions, answers);
                }
            }
        }
        if !new.is_empty() {
            let answers = match self.upload_and_read(charge, &part(&new)).await {
                Ok(answers) => answers,
                Err(error) => all_or_each(&new, error)?,
            };
            answer(new, answers);
        }
        let missing = || Err(error(FailureCode::ApiError, Reason::MissingAnswer));
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(missing)).collect())
    }
}

fn error(code: FailureCode, reason: Reason) -> ProviderError {
    ProviderError::new(ProviderName::TRACERFY, code, reason)
}
