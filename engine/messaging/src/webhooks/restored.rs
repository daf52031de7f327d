//! Deliveries that the store has and a restored database does not have: replies, opt-outs and reports after the backup.
//! `luci restore accept` ingests them again, so that nobody who opted out is sent a text.
//!
//! Left out is what starts an automation or answers a block: their runs are not in the restored log either.

use std::collections::HashSet;

use bytes::Bytes;
use futures::TryStreamExt as _;
use luci_schema::{
    Micros, TenantId, WebhookId,
    log::Log,
    object_key::{Day, ObjectKey, ObjectLocation},
};
use luci_storage::{Storage, StorageError};
use serde::Deserialize;
use sqlx::PgConnection;

use crate::{
    store::{webhook_events, webhook_tokens::WebhookPurpose},
    webhooks::{
        DeliveryProof, IngestError, WebhookDelivery, WebhookSource, WebhookTarget, ingest::ingest_stored, payload,
    },
};

const DAY_MS: i64 = 86_400_000;

/// A stored delivery that the database does not know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredDelivery {
    /// In the order of their arrival.
    id: WebhookId,
    pub tenant: TenantId,
    object_path: String,
}

#[derive(Debug, thiserror::Error)]
pub enum RestoredError {
    #[error(transparent)]
    Store(#[from] StorageError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error("the delivery {path} cannot be read: {problem}")]
    Unreadable { path: String, problem: String },
}

/// The stored object of a delivery.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredObject {
    source: String,
    verified_by: String,
    /// Objects of earlier versions do not have it.
    purpose: Option<String>,
    batch: Option<String>,
    #[serde(default)]
    headers: std::collections::HashMap<String, String>,
}

/// What arrived for these tenants since a time and is not known, in the order of arrival.
pub async fn unknown(
    c: &mut PgConnection,
    storage: &Storage,
    tenants: &[TenantId],
    since: Micros,
) -> Result<Vec<StoredDelivery>, RestoredError> {
    let mut found = Vec::new();
    for &tenant in tenants {
        let mut stored = Vec::new();
        for folder in folders(tenant, since, Micros::now()) {
            let mut objects = storage.list(&folder);
            while let Some(object) = objects.try_next().await? {
                if let Some(id) = webhook_of(&object.path) {
                    stored.push(StoredDelivery { id, tenant, object_path: object.path });
                }
            }
        }
        let ids: Vec<WebhookId> = stored.iter().map(|delivery| delivery.id).collect();
        let known: HashSet<WebhookId> = webhook_events::known(c, tenant, &ids).await?.into_iter().collect();
        for delivery in stored.into_iter().filter(|delivery| !known.contains(&delivery.id)) {
            if is_of_messages(&delivery, &storage.get(&delivery.object_path).await?)? {
                found.push(delivery);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Ingests a stored delivery under its own id. False: the database has the same delivery by now.
///
/// # Errors
/// When the object cannot be read or the delivery not be recorded; the object stays.
pub async fn bring_in(log: &Log, storage: &Storage, stored: &StoredDelivery) -> Result<bool, RestoredError> {
    let bytes = storage.get(&stored.object_path).await?;
    let object = read(stored, &bytes)?;
    let source: WebhookSource = object.source.parse().map_err(|error| unreadable(stored, error))?;
    let proof = DeliveryProof::named(&object.verified_by)
        .ok_or_else(|| unreadable(stored, format!("verifiedBy `{}` is unknown", object.verified_by)))?;
    let body = payload::body(&bytes).ok_or_else(|| unreadable(stored, "it has no body"))?;
    let delivery = WebhookDelivery {
        source,
        headers: object.headers,
        url: String::new(),
        other_urls: Vec::new(),
        body: body.into(),
    };
    let target = WebhookTarget { purpose: WebhookPurpose::Status, batch: None };
    let recorded =
        ingest_stored(log, (stored.tenant, stored.id, &stored.object_path), &delivery, (target, proof)).await?;
    Ok(recorded.is_some())
}

/// The folders of a tenant's deliveries, by source and day.
fn folders(tenant: TenantId, since: Micros, until: Micros) -> impl Iterator<Item = String> {
    let days =
        (since.0.div_euclid(1_000 * DAY_MS)..=until.0.div_euclid(1_000 * DAY_MS)).map(|day| day * 1_000 * DAY_MS);
    days.flat_map(move |day| {
        let day = Day::of(Micros(day));
        WebhookSource::ALL.into_iter().map(move |source| format!("{tenant}/webhooks/{source}/{day}/"))
    })
}

fn webhook_of(object_path: &str) -> Option<WebhookId> {
    match object_path.parse::<ObjectKey>().ok()?.place {
        ObjectLocation::Webhook { webhook_id, .. } => Some(webhook_id),
        _ => None,
    }
}

/// Whether it is a report or a reply. Objects of earlier versions do not say what they are for; the carriers' are.
fn is_of_messages(stored: &StoredDelivery, bytes: &Bytes) -> Result<bool, RestoredError> {
    let object = read(stored, bytes)?;
    let of_carrier = || ["signalhouse", "twilio", "sendgrid"].contains(&object.source.as_str());
    let of_messages = match &object.purpose {
        Some(purpose) => *purpose == WebhookPurpose::Status.to_string(),
        None => of_carrier(),
    };
    Ok(of_messages && object.batch.is_none())
}

fn read(stored: &StoredDelivery, bytes: &Bytes) -> Result<StoredObject, RestoredError> {
    serde_json::from_slice(bytes).map_err(|error| unreadable(stored, error))
}

fn unreadable(stored: &StoredDelivery, problem: impl std::fmt::Display) -> RestoredError {
    RestoredError::Unreadable { path: stored.object_path.clone(), problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_since_the_backup_is_looked_through() {
        let tenant = TenantId::generate();
        let at = |days: i64, hours: i64| Micros((days * 24 + hours) * 3_600_000_000);
        let found: Vec<String> = folders(tenant, at(20_000, 23), at(20_001, 1)).collect();
        assert_eq!(found.len(), 2 * WebhookSource::ALL.len());
        assert!(found.contains(&format!("{tenant}/webhooks/twilio/2024-10-04/")));
        assert!(found.contains(&format!("{tenant}/webhooks/signalhouse/2024-10-05/")));
    }
}
