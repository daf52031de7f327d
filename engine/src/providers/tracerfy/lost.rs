//! An upload of which nothing was heard, looked for in the provider's list of queues: by its number of rows, the time, and in
//! the end by whom it is about.

use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Tracerfy, by_person, question};
use crate::{
    provider::{ProviderError, TraceMatch, TraceQuery},
    providers::{
        Errand,
        ask::{Outcome, unread},
        fields::{list, number, text},
        queues,
    },
};

/// What the provider's clock and ours may differ by.
const CLOCKS: Duration = Duration::minutes(15);
/// Queues that are read, newest first.
const LOOKED_AT: usize = 20;

impl Tracerfy {
    /// The answers of the upload that was begun `since`, of so many rows; `None` when the provider has no such queue. Of one
    /// that is pending it is not known whose it is: it is waited for.
    pub(super) async fn find(
        &self,
        errand: Errand<'_>,
        queries: &[&TraceQuery],
        (since, rows): (OffsetDateTime, u64),
    ) -> Result<Option<Vec<Outcome<TraceMatch>>>, ProviderError> {
        for queue in self.candidates(errand, since, rows).await? {
            let found = match self.rows(errand, queue).await {
                Ok(found) => by_person(&found, queries),
                Err(error) if error.reason == "http_404" => continue,
                Err(error) => return Err(error),
            };
            if let Some(n) = found.iter().position(Result::is_ok) {
                tracing::info!(queue, "an upload of which nothing was heard is found");
                let known = question(queries[n]);
                let noted =
                    async { queues::found(&mut *self.0.pool().acquire().await?, &errand.asking, queue, &known).await };
                if let Err(error) = noted.await {
                    tracing::error!(queue, %error, "a queue that was found could not be noted");
                }
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Queues that it may be, and that are nobody's yet.
    async fn candidates(
        &self,
        errand: Errand<'_>,
        since: OffsetDateTime,
        rows: u64,
    ) -> Result<Vec<u64>, ProviderError> {
        let url = self.0.url("/v1/api/queues/");
        let answer = self.0.ask(errand.about(0), |client| client.get(&url).bearer_auth(self.0.key())).await?;
        let listed = answer.as_array().map_or_else(|| list(&answer, &["results"]), Vec::as_slice);
        let in_time = |at: String| OffsetDateTime::parse(&at, &Rfc3339).map_or(true, |at| at >= since - CLOCKS);
        let mut queues: Vec<u64> = listed
            .iter()
            .filter(|queue| number(queue, "rows_uploaded") == Some(rows))
            .filter(|queue| text(queue, &["created_at"]).is_none_or(in_time))
            .filter_map(|queue| number(queue, "id"))
            .collect();
        let noted = async { queues::noted(&mut *self.0.pool().acquire().await?, &queues).await };
        let noted = noted.await.map_err(|error| unread::<Self>(&error))?;
        queues.retain(|queue| !noted.contains(queue));
        queues.sort_unstable_by(|one, other| other.cmp(one));
        queues.truncate(LOOKED_AT);
        Ok(queues)
    }
}
