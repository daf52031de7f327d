//! What came of leads that were handed over: looked at, waited for, read.

use std::{collections::HashMap, time::Duration};

use luci_schema::{FailureCode, KeyId, LeadId, TenantId};

use super::{
    RealEstate,
    ask::{Api, Asker, digest, unread},
    handed::{self, Standing},
    results,
};
use crate::provider::{Answer, Answers, Asked, Asking, ProviderError, TraceMatch, TraceQuery};

/// Between two looks whether answers have come, at least.
const LOOK: Duration = Duration::from_millis(20);

/// A question in one spelling: the lead, and the digest of what is asked.
pub(super) type Key<'a> = (LeadId, &'a str);

/// Where one question stands.
pub(super) enum Stand {
    Answered(Answer<TraceMatch>),
    /// With the provider, in one of these batches.
    Awaited(KeyId),
    /// There is no answer, and this release asks no more.
    Over(ProviderError),
    Open,
}

/// All that is known of some questions.
pub(super) struct Known {
    paid: HashMap<(LeadId, String), Answer<TraceMatch>>,
    handed: HashMap<(LeadId, String), Vec<Standing>>,
}

impl Known {
    /// Answers come first, then what this release has handed over itself; what an earlier one did stands only while its
    /// answer may come.
    pub(super) fn stand(&self, lead: LeadId, digest: &str) -> Stand {
        let question = (lead, digest.to_owned());
        if let Some(answer) = self.paid.get(&question) {
            return Stand::Answered(answer.clone());
        }
        let handed = self.handed.get(&question).map_or(&[][..], Vec::as_slice);
        if let Some(standing) = handed.iter().find(|standing| standing.awaited) {
            return Stand::Awaited(standing.batch);
        }
        match handed.iter().find(|standing| standing.own) {
            None => Stand::Open,
            Some(Standing { failure: Some(failure), .. }) => Stand::Over(failure.clone().into()),
            Some(Standing { completed: true, .. }) => Stand::Over(error(FailureCode::ApiError, "missing_answer")),
            Some(_) => Stand::Over(in_vain()),
        }
    }
}

impl Asker {
    /// Looks again and again; a database that is away is waited for.
    pub async fn awaited(&self, tenant: TenantId, batches: &[KeyId]) {
        loop {
            tokio::time::sleep(self.retry.poll.max(LOOK)).await;
            let open = async {
                let mut c = self.pool.acquire().await?;
                handed::any_awaited(&mut c, tenant, batches).await
            };
            match open.await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, "whether answers have come is not known"),
            }
        }
    }

    pub async fn collect(
        &self,
        asking: Asking<'_>,
        queries: &[TraceQuery],
        closed: Option<&ProviderError>,
    ) -> Answers<TraceMatch> {
        let digests: Vec<String> = queries.iter().map(digest::<RealEstate>).collect();
        let known = async {
            handed::close(&mut *self.pool.acquire().await?, asking.tenant, asking.release).await?;
            self.known(asking, queries, &digests).await
        };
        let known = match known.await {
            Ok(known) => known,
            Err(error) => return queries.iter().map(|_| Err(unread::<RealEstate>(&error))).collect(),
        };
        let mut open: Vec<TraceQuery> = Vec::new();
        let stands = queries.iter().zip(&digests).map(|(query, digest)| match known.stand(query.lead_id, digest) {
            Stand::Answered(answer) => Some(Ok(answer)),
            Stand::Awaited(_) => Some(Err(in_vain())),
            Stand::Over(error) => Some(Err(error)),
            Stand::Open => {
                open.push(query.clone());
                None
            }
        });
        let stands: Vec<Option<_>> = stands.collect();
        let mut asked = match closed {
            Some(error) => open.iter().map(|_| Err(ProviderError { asked: Asked::No, ..error.clone() })).collect(),
            None => self.ask::<RealEstate>(asking, &open).await,
        }
        .into_iter();
        let missing = || Err(error(FailureCode::ApiError, "missing_answer"));
        stands.into_iter().map(|stand| stand.or_else(|| asked.next()).unwrap_or_else(missing)).collect()
    }

    /// Answers that came when the block that had asked had ended are this release's from now on.
    pub(super) async fn known(
        &self,
        asking: Asking<'_>,
        queries: &[TraceQuery],
        digests: &[String],
    ) -> Result<Known, sqlx::Error> {
        let leads: Vec<LeadId> = queries.iter().map(|query| query.lead_id).collect();
        let mut c = self.pool.acquire().await?;
        let mut handed: HashMap<(LeadId, String), Vec<Standing>> = HashMap::new();
        for standing in handed::of_leads(&mut c, &asking, &leads).await? {
            handed.entry((standing.lead, standing.digest.clone())).or_default().push(standing);
        }
        let questions: Vec<Key> = queries
            .iter()
            .zip(digests)
            .filter(|(query, digest)| handed.contains_key(&(query.lead_id, (*digest).clone())))
            .map(|(query, digest)| (query.lead_id, digest.as_str()))
            .collect();
        if !questions.is_empty() {
            let whose = (asking.tenant, asking.root_run);
            results::adopt(&mut c, whose, RealEstate::STAGE, asking.release, &questions).await?;
        }
        drop(c);
        Ok(Known { paid: self.paid::<RealEstate>(asking, queries).await?, handed })
    }
}

pub(super) fn error(code: FailureCode, reason: &str) -> ProviderError {
    ProviderError::new(RealEstate::PROVIDER, code, reason)
}

/// It was handed over, and did not come.
fn in_vain() -> ProviderError {
    ProviderError { asked: Asked::InVain, ..error(FailureCode::Timeout, "no_answer_by_deadline") }
}
