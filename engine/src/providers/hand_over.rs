//! Handing leads over to a provider that posts their answers later: recorded before the call, so that a question is with the
//! provider once at a time, whatever is killed, delivered again or retried.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use luci_schema::{BlockId, FailureCode, KeyId, LeadId, RunId, TenantId};
use secrecy::ExposeSecret;

use super::{
    Errand, RealEstate, Toll,
    account::Account,
    ask::{Api, Asker, closed, digest, unread},
    collect::{Key, Stand, error},
    handed::{self, NewBatch},
    realestate::{SMALLEST_BATCH, skip},
    send::SendError,
};
use crate::{
    admin::{secret, vault::VaultError},
    provider::{Asked, Asking, ProviderError, TraceQuery},
};

/// The provider's own limits of a batch, with room for the addresses in the body.
const LARGEST_BATCH: usize = 1_000;
const LARGEST_BODY: usize = (256 << 10) - 2_048;

/// On whose behalf leads are handed over, and for how long their answers are waited for.
#[derive(Debug, Clone, Copy)]
pub struct Handing {
    pub run: RunId,
    pub block: BlockId,
    pub attempt: u32,
    pub deadline: Duration,
}

/// What came of handing over.
#[derive(Debug, Clone, Default)]
pub struct HandedOver {
    /// Batches, of this release or of an earlier one, whose answers may still come.
    pub waits_for: Vec<KeyId>,
    /// Why the rest could not be handed over.
    pub closed: Option<ProviderError>,
}

impl Asker {
    pub async fn hand_over(&self, asking: Asking<'_>, handing: &Handing, queries: &[TraceQuery]) -> HandedOver {
        let digests: Vec<String> = queries.iter().map(digest::<RealEstate>).collect();
        let closed = match self.known(asking, queries, &digests).await {
            Ok(known) => {
                // The provider tells items apart by their leads: a second question about one is asked alone, later.
                let mut leads = HashSet::new();
                let open = queries.iter().zip(&digests).filter(|(query, digest)| {
                    matches!(known.stand(query.lead_id, digest), Stand::Open) && leads.insert(query.lead_id)
                });
                let open: Vec<(&TraceQuery, &str)> = open.map(|(query, digest)| (query, digest.as_str())).collect();
                self.hand_over_all(asking, handing, &open).await.err()
            }
            Err(error) => return HandedOver { waits_for: Vec::new(), closed: Some(unread::<RealEstate>(&error)) },
        };
        match self.known(asking, queries, &digests).await {
            Ok(known) => {
                let awaited = queries.iter().zip(&digests).filter_map(|(query, digest)| {
                    let Stand::Awaited(batch) = known.stand(query.lead_id, digest) else { return None };
                    Some(batch)
                });
                HandedOver { waits_for: awaited.collect::<BTreeSet<_>>().into_iter().collect(), closed }
            }
            Err(error) => HandedOver { waits_for: Vec::new(), closed: Some(unread::<RealEstate>(&error)) },
        }
    }

    /// Batch by batch, as far as limits allow; a rest that is too small for a batch is left.
    async fn hand_over_all(
        &self,
        asking: Asking<'_>,
        handing: &Handing,
        open: &[(&TraceQuery, &str)],
    ) -> Result<(), ProviderError> {
        let (mut rest, mut patience) = (open, self.patience);
        while rest.len() >= SMALLEST_BATCH {
            let account = self.account_of::<RealEstate>(asking.tenant).await?;
            let sizes: Vec<usize> =
                rest.iter().map(|(query, _)| serde_json::json!(skip(query)).to_string().len() + 1).collect();
            let wanted = first_batch(&sizes);
            if wanted < SMALLEST_BATCH {
                return Ok(());
            }
            let grant = self.grant(asking.tenant, &account, wanted).await;
            let grant = grant.map_err(|error| unread::<RealEstate>(&error))?;
            if grant.people >= SMALLEST_BATCH {
                let (now, later) = rest.split_at(grant.people);
                self.batch(asking, handing, &account, now).await?;
                rest = later;
                continue;
            }
            self.give_back(asking.tenant, &account, grant.people).await;
            if grant.wait > patience || grant.wait.is_zero() {
                return Err(self.limited::<RealEstate>(&account, grant.wait));
            }
            patience -= grant.wait;
            tokio::time::sleep(grant.wait).await;
        }
        Ok(())
    }

    /// Hands one batch over. What the provider calls wrong as a whole is left, to be asked in the usual way; only a certain no
    /// takes the batch back.
    async fn batch(
        &self,
        asking: Asking<'_>,
        handing: &Handing,
        account: &Arc<Account>,
        asked: &[(&TraceQuery, &str)],
    ) -> Result<(), ProviderError> {
        let id = KeyId::generate();
        let unsaid = || ProviderError { asked: Asked::No, ..error(FailureCode::Validation, "no_public_url") };
        let base = self.callback_url.as_deref().ok_or_else(unsaid)?;
        let token = secret::fresh("hook").map_err(|_| closed::<RealEstate>(FailureCode::Internal, "no_randomness"))?;
        let address = format!("{base}/api/webhooks/realestate/{}", token.expose_secret());
        let got = self.record(asking, handing, account, (id, &secret::digest(token.expose_secret())), asked).await;
        let got = got.map_err(|error| match error {
            VaultError::Database(error) => unread::<RealEstate>(&error),
            error => {
                tracing::error!(%error, "a hand-over cannot be recorded");
                closed::<RealEstate>(FailureCode::Internal, "not_recorded")
            }
        })?;
        let queries: Vec<&TraceQuery> =
            asked.iter().map(|(query, _)| *query).filter(|query| got.contains(&query.lead_id)).collect();
        if queries.len() < SMALLEST_BATCH {
            return self.withdraw(asking.tenant, account, id, asked.len()).await;
        }
        let api: RealEstate = self.caller(asking.tenant, Arc::clone(account));
        let done = format!("{address}?done=1");
        let errand = Errand { asking, people: queries.len(), toll: Toll::Paid };
        match api.submit(errand, (&address, &done), &queries).await {
            Ok(()) => Ok(()),
            Err(SendError::Unknown(error)) => {
                tracing::warn!(run.id = %handing.run, block.id = %handing.block, %error, "a hand-over may have been lost");
                Ok(())
            }
            Err(SendError::Refused(error)) => {
                let unused = if error.asked == Asked::No { queries.len() } else { 0 };
                self.withdraw(asking.tenant, account, id, unused).await?;
                let wrong = error.code == FailureCode::Validation;
                if wrong { Ok(()) } else { Err(ProviderError { asked: Asked::No, ..error }) }
            }
        }
    }

    async fn record(
        &self,
        asking: Asking<'_>,
        handing: &Handing,
        account: &Account,
        (id, secret_hash): (KeyId, &luci_schema::Hash),
        asked: &[(&TraceQuery, &str)],
    ) -> Result<HashSet<LeadId>, VaultError> {
        let new = NewBatch {
            id,
            run: handing.run,
            block: handing.block,
            attempt: handing.attempt,
            secret_hash: *secret_hash,
            signing: &account.credential.key,
            price_micros: RealEstate::PRICE.pinned(asking.prices),
            deadline: handing.deadline,
        };
        let questions: Vec<Key> = asked.iter().map(|(query, digest)| (query.lead_id, *digest)).collect();
        let mut tx = self.pool.begin().await?;
        let got = handed::insert(&mut tx, &asking, &self.vault, &new, &questions).await?;
        tx.commit().await?;
        Ok(got)
    }

    async fn withdraw(
        &self,
        tenant: TenantId,
        account: &Account,
        id: KeyId,
        unused: usize,
    ) -> Result<(), ProviderError> {
        if unused > 0 && !account.limits.none() {
            self.give_back(tenant, account, unused).await;
        }
        let withdrawn = async {
            let mut c = self.pool.acquire().await?;
            handed::withdraw(&mut c, tenant, id).await
        };
        withdrawn.await.map_err(|error| unread::<RealEstate>(&error))
    }
}

/// How many of the first go into one call: no more than it takes, and so that the rest is no smaller than a batch.
fn first_batch(sizes: &[usize]) -> usize {
    let mut body = 0;
    let fits = |size: &&usize| {
        body += **size;
        body <= LARGEST_BODY
    };
    let most = sizes.iter().take(LARGEST_BATCH).take_while(fits).count();
    let left = sizes.len() - most;
    if (1..SMALLEST_BATCH).contains(&left) && most >= 2 * SMALLEST_BATCH { most + left - SMALLEST_BATCH } else { most }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_within_the_provider_s_limits_and_leaves_no_crumbs() {
        let of = |leads: usize, size: usize| first_batch(&vec![size; leads]);
        assert_eq!((of(250, 200), of(1_000, 200), of(9, 200)), (250, 1_000, 9));
        // 1,003 would leave three, which no batch takes.
        assert_eq!((of(1_003, 200), of(1_010, 200)), (993, 1_000));
        let large = of(1_000, 400);
        assert!(large * 400 <= LARGEST_BODY && (large + 1) * 400 > LARGEST_BODY, "{large}");
        assert_eq!(of(30, 100 << 10), 2, "too few for a batch: asked in the usual way");
    }
}
