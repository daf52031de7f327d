//! Ingests a verified delivery: stores the payload object, then records row, effects and events in one transaction.
//! Idempotent by source and external id.

use std::collections::BTreeMap;

use luci_providers::async_batches;
use luci_schema::{
    Actor, CommandId, ConfigEvent, CorrelationId, Event, KeyId, Micros, Position, TenantId, Version, WebhookId,
    event::WebhookReceived,
    log::{Append, AppendError, Log},
    object_key::{Day, ObjectKey, ObjectLocation, Word},
};
use luci_storage::{Storage, StorageError};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, Postgres, Transaction};
use tracing::{Instrument, info_span};

use crate::{
    store::{
        webhook_events::{self, NewWebhookEvent},
        webhook_tokens::WebhookPurpose,
    },
    webhooks::{DeliveryProof, ProviderEvent, WebhookDelivery, effect, event_type, external_id, parse},
};

/// What a delivery is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookTarget {
    pub purpose: WebhookPurpose,
    /// The asynchronous batch whose results are posted to the address.
    pub batch: Option<KeyId>,
}

impl WebhookTarget {
    /// The external id. Deliveries of a batch include its id, because two batches may get equal bodies.
    fn external_id(&self, delivery: &WebhookDelivery) -> String {
        match self.batch {
            Some(batch) if completes_batch(delivery) => format!("{batch}:done"),
            Some(batch) => format!("{batch}:{}", hex::encode(Sha256::digest(&delivery.body))),
            None => external_id(delivery),
        }
    }
}

/// Whether the address is the one that a provider calls after the last result of a batch: `?done=1`.
fn completes_batch(delivery: &WebhookDelivery) -> bool {
    delivery.url.split_once('?').is_some_and(|(_, query)| query.split('&').any(|part| part == "done=1"))
}

/// What ingesting a delivery did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ingested {
    New {
        id: WebhookId,
        position: Position,
    },
    /// It was recorded before, under this id.
    Duplicate(WebhookId),
}

#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("the payload could not be stored: {0}")]
    Storage(#[from] StorageError),
    #[error("the delivery could not be recorded: {0}")]
    Append(#[from] AppendError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Stores, applies and records a verified delivery.
pub async fn ingest(
    log: &Log,
    storage: &Storage,
    tenant: TenantId,
    delivery: &WebhookDelivery,
    (target, proof): (WebhookTarget, DeliveryProof),
) -> Result<Ingested, IngestError> {
    let (id, source) = (WebhookId::generate(), delivery.source.as_str());
    let span = info_span!("webhook", tenant.id = %tenant, webhook.id = %id, source);
    ingest_as(id, log, storage, tenant, delivery, (target, proof)).instrument(span).await
}

async fn ingest_as(
    id: WebhookId,
    log: &Log,
    storage: &Storage,
    tenant: TenantId,
    delivery: &WebhookDelivery,
    (target, proof): (WebhookTarget, DeliveryProof),
) -> Result<Ingested, IngestError> {
    let external = target.external_id(delivery);
    if let Some(duplicate) = find(log, tenant, delivery, &external).await? {
        return Ok(Ingested::Duplicate(duplicate));
    }
    let received_at = Micros::now();
    let key = object_key(tenant, delivery, id, received_at);
    storage.put(&key, object(delivery, received_at, target, proof).into(), "application/json").await?;
    let object_path = key.to_string();
    let received = received(id, delivery, (target, proof), &object_path);
    let (source, unread) = (delivery.source.as_str(), received.unread.clone());
    match record(log, tenant, delivery, target, &external, received).await {
        Ok(Some((tx, position))) => {
            // After an error of the commit the row may exist all the same, so the object must stay.
            tx.commit().await?;
            log.wake();
            if let Some(reason) = unread {
                metrics::counter!("luci_webhooks_unread_total", "source" => source, "reason" => reason.clone())
                    .increment(1);
                tracing::error!(reason, "webhook not understood: a person must look at it");
            }
            Ok(Ingested::New { id, position })
        }
        Ok(None) => {
            // The same delivery was recorded concurrently, with an object of its own.
            remove_object(storage, &object_path).await;
            Ok(Ingested::Duplicate(find(log, tenant, delivery, &external).await?.unwrap_or(id)))
        }
        Err(error) => {
            remove_object(storage, &object_path).await;
            Err(error)
        }
    }
}

/// Records and applies a delivery whose object is stored already. None: it was recorded before.
pub(super) async fn ingest_stored(
    log: &Log,
    (tenant, id, object_path): (TenantId, WebhookId, &str),
    delivery: &WebhookDelivery,
    (target, proof): (WebhookTarget, DeliveryProof),
) -> Result<Option<Position>, IngestError> {
    let received = received(id, delivery, (target, proof), object_path);
    let recorded = record(log, tenant, delivery, target, &target.external_id(delivery), received).await?;
    let Some((tx, position)) = recorded else { return Ok(None) };
    tx.commit().await?;
    log.wake();
    Ok(Some(position))
}

fn received(
    id: WebhookId,
    delivery: &WebhookDelivery,
    (target, proof): (WebhookTarget, DeliveryProof),
    object_path: &str,
) -> WebhookReceived {
    WebhookReceived {
        webhook_id: id,
        source: delivery.source.as_str().into(),
        kind: event_type(delivery),
        purpose: target.purpose.to_string(),
        verified_by: proof.as_str().into(),
        object_path: object_path.to_owned(),
        size_bytes: delivery.body.len() as u64,
        checksum: hex::encode(Sha256::digest(&delivery.body)),
        unread: unread(delivery, target).map(str::to_owned),
    }
}

/// Why nothing of a delivery, or a part of it, was understood.
fn unread(delivery: &WebhookDelivery, target: WebhookTarget) -> Option<&'static str> {
    if target.batch.is_some() && completes_batch(delivery) {
        return None;
    }
    parse(delivery).into_iter().find_map(|event| match event {
        ProviderEvent::Unread(reason) => Some(reason),
        _ => None,
    })
}

/// Removes the object of a delivery that was not recorded. Best effort.
async fn remove_object(storage: &Storage, object_path: &str) {
    if let Err(error) = storage.delete(object_path).await {
        tracing::warn!(object.path = object_path, %error, "webhook payload not removed");
    }
}

async fn find(
    log: &Log,
    tenant: TenantId,
    delivery: &WebhookDelivery,
    external: &str,
) -> Result<Option<WebhookId>, sqlx::Error> {
    let mut c = log.pool().acquire().await?;
    webhook_events::find(&mut c, tenant, delivery.source.as_str(), external).await
}

fn object_key(tenant: TenantId, delivery: &WebhookDelivery, id: WebhookId, at: Micros) -> ObjectKey {
    let provider: Word =
        delivery.source.as_str().parse().unwrap_or_else(|_| unreachable!("each source's name is a valid word"));
    ObjectKey::new(tenant, ObjectLocation::Webhook { provider, day: Day::of(at), webhook_id: id })
}

/// The stored object: the body as it came, and the headers without credentials and signatures.
fn object(delivery: &WebhookDelivery, at: Micros, target: WebhookTarget, proof: DeliveryProof) -> Vec<u8> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let secret = |name: &str| {
        ["signature", "secret", "authorization", "api-key", "token", "cookie"].iter().any(|part| name.contains(part))
    };
    let headers: BTreeMap<&String, &String> = delivery.headers.iter().filter(|(name, _)| !secret(name)).collect();
    let mut object = json!({"source": delivery.source.as_str(), "receivedAt": at.rfc3339(),
        "verifiedBy": proof.as_str(), "purpose": target.purpose.to_string(), "batch": target.batch, "headers": headers});
    match std::str::from_utf8(&delivery.body) {
        Ok(text) => object["body"] = text.into(),
        Err(_) => object["bodyBase64"] = BASE64_STANDARD.encode(&delivery.body).into(),
    }
    object.to_string().into_bytes()
}

/// Applies a batch's delivery: the result of one lead, or the end of the batch.
async fn apply_to_batch(
    c: &mut PgConnection,
    tenant: TenantId,
    batch: KeyId,
    delivery: &WebhookDelivery,
) -> Result<(), sqlx::Error> {
    if completes_batch(delivery) {
        return async_batches::complete(c, tenant, batch).await;
    }
    // A body that is not JSON is stored and recorded, but is no result.
    let Some(item) = delivery.json() else { return Ok(()) };
    async_batches::store_item(c, tenant, batch, &item).await
}

/// Returns the open transaction. `None`: the delivery was recorded before.
async fn record(
    log: &Log,
    tenant: TenantId,
    delivery: &WebhookDelivery,
    target: WebhookTarget,
    external: &str,
    received: WebhookReceived,
) -> Result<Option<(Transaction<'static, Postgres>, Position)>, IngestError> {
    let id = received.webhook_id;
    let mut tx = log.pool().begin().await?;
    let new = NewWebhookEvent {
        id,
        source: &received.source,
        external_id: external,
        purpose: target.purpose,
        kind: &received.kind,
        verified_by: &received.verified_by,
        object_path: &received.object_path,
        size_bytes: received.size_bytes,
        checksum: &received.checksum,
        unread: received.unread.as_deref(),
    };
    if !webhook_events::insert(&mut tx, tenant, &new).await? {
        return Ok(None);
    }
    if let Some(batch) = target.batch {
        apply_to_batch(&mut tx, tenant, batch, delivery).await?;
    }
    let mut events: Vec<Event> = Vec::new();
    for event in parse(delivery) {
        events.extend(effect::apply(&mut tx, tenant, id, &event).await?);
    }
    events.insert(0, ConfigEvent::WebhookReceived(Box::new(received)).into());
    let append = Append {
        tenant,
        stream: id.into(),
        expected: Version(0),
        events,
        actor: Actor::Webhook(id),
        command: CommandId::derive(&["webhook", &tenant.to_string(), delivery.source.as_str(), external]),
        correlation: CorrelationId::generate(),
        causation: None,
        receipt: None,
    };
    let position = log.append_in(&mut tx, append).await?.position();
    Ok(Some((tx, position)))
}
