//! Searches the provider's list of queues for an upload whose answer was lost: by its number of rows, the time, and in the end
//! by the people in it.

use luci_leads::enrich::{found::TraceMatch, query::TraceQuery};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    apis::tracerfy::{Tracerfy, key, rows::by_person},
    call::Charge,
    error::ProviderError,
    fields::{list, number, text},
    lookup_api::{LookupOutcome, database_failed},
    trace_queues,
};

/// Largest difference between the provider's clock and ours.
const CLOCK_SKEW: Duration = Duration::minutes(15);
/// Queues that are read at most, newest first.
const MAX_READ: usize = 20;

impl Tracerfy {
    /// The answers of the upload that began at `since` with `rows` rows; `None` when the provider has no such queue. A pending
    /// candidate is waited for, since its people are unknown until it is done.
    pub(super) async fn find(
        &self,
        charge: Charge<'_>,
        queries: &[&TraceQuery],
        (since, rows): (OffsetDateTime, u64),
    ) -> Result<Option<Vec<LookupOutcome<TraceMatch>>>, ProviderError> {
        for queue in self.candidates(charge, since, rows).await? {
            let found = match self.rows(charge, queue).await {
                Ok(found) => by_person(&found, queries),
                Err(error) if error.reason.http_status() == Some(404) => continue,
                Err(error) => return Err(error),
            };
            if let Some(n) = found.iter().position(Result::is_ok) {
                let (tenant, root_run) = (charge.context.tenant, charge.context.root_run);
                tracing::info!(tenant.id = %tenant, root_run.id = %root_run, queue, "unconfirmed upload found");
                let key = key(queries[n]);
                let confirmed = async {
                    trace_queues::confirm(&mut *self.0.pool().acquire().await?, &charge.context, queue, &key).await
                };
                if let Err(error) = confirmed.await {
                    tracing::error!(
                        tenant.id = %tenant, root_run.id = %root_run, queue, %error, "number of a found queue not recorded"
                    );
                }
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Queues that match and belong to no recorded upload.
    async fn candidates(
        &self,
        charge: Charge<'_>,
        since: OffsetDateTime,
        rows: u64,
    ) -> Result<Vec<u64>, ProviderError> {
        let url = self.0.url("/v1/api/queues/");
        let answer = self.0.request(charge.for_people(0), |client| client.get(&url).bearer_auth(self.0.key())).await?;
        let listed = answer.as_array().map_or_else(|| list(&answer, &["results"]), Vec::as_slice);
        let in_time = |at: String| OffsetDateTime::parse(&at, &Rfc3339).map_or(true, |at| at >= since - CLOCK_SKEW);
        let mut queues: Vec<u64> = listed
            .iter()
            .filter(|queue| number(queue, "rows_uploaded") == Some(rows))
            .filter(|queue| text(queue, &["created_at"]).is_none_or(in_time))
            .filter_map(|queue| number(queue, "id"))
            .collect();
        let recorded = async { trace_queues::recorded(&mut *self.0.pool().acquire().await?, &queues).await };
        let recorded = recorded.await.map_err(|error| database_failed::<Self>(&error))?;
        queues.retain(|queue| !recorded.contains(queue));
        queues.sort_unstable_by(|one, other| other.cmp(one));
        queues.truncate(MAX_READ);
        Ok(queues)
    }
}
