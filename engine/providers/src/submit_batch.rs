//! Submits leads in batches whose answers are posted later. A batch is recorded before the call, so that a query is in one
//! open batch at most, also after a crash, a redelivery or a retry.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use luci_config::{secret, vault::VaultError};
use luci_leads::enrich::query::TraceQuery;
use luci_schema::{BlockId, FailureCode, Hash, KeyId, LeadId, RunId, TenantId};
use secrecy::ExposeSecret;

use crate::{
    account::Account,
    answer::LookupContext,
    apis::realestate::{BATCH_LIMITS, RealEstate, skip},
    async_batches::{self, NewBatch},
    call::{Charge, Quota},
    collect::{QueryKey, QueryState, error},
    error::{CallState, ProviderError},
    lookup::LookupClient,
    lookup_api::{LookupApi, database_failed, digest, not_called},
    reason::Reason,
    send::SendError,
};

/// Which block submits, and how long its answers are waited for.
#[derive(Debug, Clone, Copy)]
pub struct BatchSubmission {
    pub run: RunId,
    pub block: BlockId,
    pub attempt: u32,
    pub timeout: Duration,
}

/// What is submitted now.
#[derive(Debug, Clone, Default)]
pub struct SubmittedBatches {
    /// Batches, of this release or an earlier one, whose answers may still come.
    pub waits_for: Vec<KeyId>,
    /// Why the rest could not be submitted.
    pub stopped_by: Option<ProviderError>,
}

impl LookupClient {
    pub async fn submit_batches(
        &self,
        context: LookupContext<'_>,
        submission: &BatchSubmission,
        queries: &[TraceQuery],
    ) -> SubmittedBatches {
        let failed = |error| SubmittedBatches { waits_for: Vec::new(), stopped_by: Some(error) };
        let digests: Vec<String> = queries.iter().map(digest::<RealEstate>).collect();
        let stopped_by = match self.query_states(context, queries, &digests).await {
            Ok(states) => {
                if let Some(error) = states.unreadable() {
                    return failed(error);
                }
                // The provider identifies items by lead: a lead's second query is looked up alone, later.
                let mut leads = HashSet::new();
                let open = queries.iter().zip(&digests).filter(|(query, digest)| {
                    matches!(states.of(query.lead_id, digest), QueryState::Open) && leads.insert(query.lead_id)
                });
                let open: Vec<(&TraceQuery, &str)> = open.map(|(query, digest)| (query, digest.as_str())).collect();
                self.submit_open(context, submission, &open).await.err()
            }
            Err(error) => return failed(database_failed::<RealEstate>(&error)),
        };
        match self.query_states(context, queries, &digests).await {
            Ok(states) => {
                let awaited = queries.iter().zip(&digests).filter_map(|(query, digest)| {
                    let QueryState::Awaited(batch) = states.of(query.lead_id, digest) else { return None };
                    Some(batch)
                });
                SubmittedBatches { waits_for: awaited.collect::<BTreeSet<_>>().into_iter().collect(), stopped_by }
            }
            Err(error) => failed(database_failed::<RealEstate>(&error)),
        }
    }

    /// Batch by batch, as far as the limits allow; a rest too small for a batch is left out.
    async fn submit_open(
        &self,
        context: LookupContext<'_>,
        submission: &BatchSubmission,
        open: &[(&TraceQuery, &str)],
    ) -> Result<(), ProviderError> {
        let (mut rest, mut wait_left) = (open, self.max_quota_wait);
        while rest.len() >= BATCH_LIMITS.min_leads {
            let no_url = || error(FailureCode::Validation, Reason::NoPublicUrl).not_made();
            let base = self.callback_url.as_deref().ok_or_else(no_url)?;
            let account = self.account_for::<RealEstate>(context.tenant).await?;
            let sizes: Vec<usize> =
                rest.iter().map(|(query, _)| serde_json::json!(skip(query)).to_string().len() + 1).collect();
            let leads = first_batch(&sizes);
            if leads < BATCH_LIMITS.min_leads {
                return Ok(());
            }
            let grant = self.grant(context.tenant, &account, leads).await;
            let grant = grant.map_err(|error| database_failed::<RealEstate>(&error))?;
            if grant.people >= BATCH_LIMITS.min_leads {
                let (granted, later) = rest.split_at(grant.people);
                let mut used = 0;
                let submitted = self.submit_batch(context, submission, (&account, base), granted, &mut used).await;
                self.give_back(context.tenant, &account, granted.len() - used).await;
                submitted?;
                rest = later;
                continue;
            }
            self.give_back(context.tenant, &account, grant.people).await;
            if grant.wait > wait_left || grant.wait.is_zero() {
                return Err(self.record_quota_exceeded::<RealEstate>(&account, grant.wait));
            }
            wait_left -= grant.wait;
            tokio::time::sleep(grant.wait).await;
        }
        Ok(())
    }

    /// A batch that is refused as a whole is withdrawn and its leads are looked up one by one later. A batch whose fate is
    /// unknown stays recorded. Sets `used` to the people that the provider may have counted.
    async fn submit_batch(
        &self,
        context: LookupContext<'_>,
        submission: &BatchSubmission,
        (account, base): (&Arc<Account>, &str),
        batch: &[(&TraceQuery, &str)],
        used: &mut usize,
    ) -> Result<(), ProviderError> {
        let id = KeyId::generate();
        let token = secret::generate("hook");
        let token = token.map_err(|_| not_called::<RealEstate>(FailureCode::Internal, Reason::NoRandomness))?;
        let webhook_url = format!("{base}/api/webhooks/realestate/{}", token.expose_secret());
        let secret_hash = secret::digest(token.expose_secret());
        let recorded = self.record_batch(context, submission, account, (id, &secret_hash), batch).await;
        let recorded = recorded.map_err(|error| not_recorded(context, submission, &error))?;
        let queries: Vec<&TraceQuery> =
            batch.iter().map(|(query, _)| *query).filter(|query| recorded.contains(&query.lead_id)).collect();
        if queries.len() < BATCH_LIMITS.min_leads {
            return self.withdraw(context.tenant, id).await;
        }
        let api: RealEstate = self.adapter(context.tenant, Arc::clone(account));
        let complete_url = format!("{webhook_url}?done=1");
        *used = queries.len();
        // A batch that may have been accepted stays recorded.
        let unanswered = AtomicU32::new(0);
        let people = queries.len();
        let charge = Charge { context, stage: RealEstate::STAGE, people, quota: Quota::Taken, unanswered: &unanswered };
        match api.submit(charge, (&webhook_url, &complete_url), &queries).await {
            Ok(()) => Ok(()),
            Err(SendError::Unknown(error)) => {
                tracing::warn!(
                    tenant.id = %context.tenant, run.id = %submission.run, block.id = %submission.block, batch.id = %id,
                    %error, "batch may not have been accepted"
                );
                Ok(())
            }
            Err(SendError::Refused(error)) => {
                if error.call == CallState::NotMade {
                    *used = 0;
                }
                self.withdraw(context.tenant, id).await?;
                if error.code == FailureCode::Validation { Ok(()) } else { Err(error.not_made()) }
            }
        }
    }

    /// Returns the leads that are in the batch: those that no other open batch has.
    async fn record_batch(
        &self,
        context: LookupContext<'_>,
        submission: &BatchSubmission,
        account: &Account,
        (id, secret_hash): (KeyId, &Hash),
        batch: &[(&TraceQuery, &str)],
    ) -> Result<HashSet<LeadId>, VaultError> {
        let new = NewBatch {
            id,
            run: submission.run,
            block: submission.block,
            attempt: submission.attempt,
            secret_hash: *secret_hash,
            signing_key: &account.credential.key,
            price_micros: RealEstate::PRICE.pinned(context.prices),
            timeout: submission.timeout,
        };
        let keys: Vec<QueryKey> = batch.iter().map(|(query, digest)| (query.lead_id, *digest)).collect();
        let mut tx = self.pool.begin().await?;
        let leads = async_batches::insert(&mut tx, &context, &self.vault, &new, &keys).await?;
        tx.commit().await?;
        Ok(leads)
    }

    async fn withdraw(&self, tenant: TenantId, id: KeyId) -> Result<(), ProviderError> {
        let withdrawn = async {
            let mut c = self.pool.acquire().await?;
            async_batches::withdraw(&mut c, tenant, id).await
        };
        withdrawn.await.map_err(|error| database_failed::<RealEstate>(&error))
    }
}

fn not_recorded(context: LookupContext<'_>, submission: &BatchSubmission, error: &VaultError) -> ProviderError {
    if let VaultError::Database(error) = error {
        return database_failed::<RealEstate>(error);
    }
    tracing::error!(
        tenant.id = %context.tenant, run.id = %submission.run, block.id = %submission.block, %error, "batch not recorded"
    );
    not_called::<RealEstate>(FailureCode::Internal, Reason::NotRecorded)
}

/// How many of the first leads go into one batch: as many as fit, but so that the rest is empty or a batch of its own.
fn first_batch(sizes: &[usize]) -> usize {
    let mut body = 0;
    let fits = |size: &&usize| {
        body += **size;
        body <= BATCH_LIMITS.max_body_bytes
    };
    let (min, most) = (BATCH_LIMITS.min_leads, sizes.iter().take(BATCH_LIMITS.max_leads).take_while(fits).count());
    let left = sizes.len() - most;
    if (1..min).contains(&left) && most >= 2 * min { most + left - min } else { most }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_within_the_provider_s_limits_and_leaves_no_rest_that_is_too_small() {
        let of = |leads: usize, size: usize| first_batch(&vec![size; leads]);
        assert_eq!((of(250, 200), of(1_000, 200), of(9, 200)), (250, 1_000, 9));
        // 1,003 would leave three, which no batch takes.
        assert_eq!((of(1_003, 200), of(1_010, 200)), (993, 1_000));
        let (large, max) = (of(1_000, 400), BATCH_LIMITS.max_body_bytes);
        assert!(large * 400 <= max && (large + 1) * 400 > max, "{large}");
        assert_eq!(of(30, 100 << 10), 2, "too few for a batch: looked up one by one");
    }
}
