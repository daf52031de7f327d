//! Taking a delivery: object first, then row, effects and events in one transaction. A delivery that came before changes
//! nothing.

use std::collections::BTreeMap;

use luci_schema::{
    Actor, CommandId, ConfigEvent, CorrelationId, Event, KeyId, Micros, Position, TenantId, Version, WebhookId,
    event::WebhookReceived,
    log::{Append, AppendError, Log},
    object_key::{Day, ObjectKey, Place, Word},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::{Delivery, Proof, effect, external_id, kind, read};
use crate::{
    admin::{
        webhook_events::{self, NewEvent},
        webhook_tokens::Purpose,
    },
    provider::handed,
    storage::{Storage, StorageError},
};

/// Whom a delivery is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receiver {
    pub purpose: Purpose,
    /// The batch of leads that was handed over to be answered there.
    pub batch: Option<KeyId>,
}

impl Receiver {
    /// What tells a delivery from all others of its source. Two batches may be answered in the same words.
    fn external_id(&self, delivery: &Delivery) -> String {
        match self.batch {
            Some(batch) if says_all(delivery) => format!("{batch}:done"),
            Some(batch) => format!("{batch}:{}", hex::encode(Sha256::digest(&delivery.body))),
            None => external_id(delivery),
        }
    }
}

/// Whether the address is the one that is called when everything was posted.
fn says_all(delivery: &Delivery) -> bool {
    delivery.url.split_once('?').is_some_and(|(_, query)| query.split('&').any(|part| part == "done=1"))
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    New {
        id: WebhookId,
        position: Position,
    },
    /// It was taken before, under this id.
    Before(WebhookId),
}

#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    #[error("the payload could not be stored: {0}")]
    Storage(#[from] StorageError),
    #[error("the delivery could not be recorded: {0}")]
    Append(#[from] AppendError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Stores, acts and records. The delivery is proved already.
pub async fn take(
    log: &Log,
    storage: &Storage,
    tenant: TenantId,
    delivery: &Delivery,
    (receiver, proof): (Receiver, Proof),
) -> Result<Taken, TakeError> {
    let (source, external) = (delivery.source.as_str(), receiver.external_id(delivery));
    let mut c = log.pool().acquire().await?;
    if let Some(id) = webhook_events::earlier(&mut c, tenant, source, &external).await? {
        return Ok(Taken::Before(id));
    }
    drop(c);
    let (id, received_at) = (WebhookId::generate(), Micros::now());
    let key = key(tenant, delivery, id, received_at);
    storage.put(&key, object(delivery, received_at, proof).into(), "application/json").await?;
    let object_path = key.to_string();
    let checksum = hex::encode(Sha256::digest(&delivery.body));
    let received = WebhookReceived {
        webhook_id: id,
        source: source.into(),
        kind: kind(delivery),
        purpose: receiver.purpose.to_string(),
        verified_by: proof.as_str().into(),
        object_path: object_path.clone(),
        size_bytes: delivery.body.len() as u64,
        checksum,
    };
    match record(log, tenant, delivery, receiver, &external, received).await? {
        Some(position) => Ok(Taken::New { id, position }),
        None => {
            // Somebody brought the same at this moment: its object is the one that counts.
            storage.delete(&object_path).await?;
            let mut c = log.pool().acquire().await?;
            let before = webhook_events::earlier(&mut c, tenant, source, &external).await?;
            Ok(Taken::Before(before.unwrap_or(id)))
        }
    }
}

fn key(tenant: TenantId, delivery: &Delivery, id: WebhookId, at: Micros) -> ObjectKey {
    // The names of sources are words: each variant's text is one.
    let provider: Word = delivery.source.as_str().parse().unwrap_or_else(|_| unreachable!("a source's name is a word"));
    ObjectKey::new(tenant, Place::Webhook { provider, day: Day::of(at), webhook_id: id })
}

/// What is kept: the body as it came, and the headers without what proves or pays.
fn object(delivery: &Delivery, at: Micros, proof: Proof) -> Vec<u8> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let secret = |name: &str| {
        ["signature", "secret", "authorization", "api-key", "token", "cookie"].iter().any(|word| name.contains(word))
    };
    let headers: BTreeMap<&String, &String> = delivery.headers.iter().filter(|(name, _)| !secret(name)).collect();
    let mut object = json!({"source": delivery.source.as_str(), "receivedAt": at.rfc3339(),
        "verifiedBy": proof.as_str(), "headers": headers});
    match std::str::from_utf8(&delivery.body) {
        Ok(text) => object["body"] = text.into(),
        Err(_) => object["bodyBase64"] = BASE64_STANDARD.encode(&delivery.body).into(),
    }
    object.to_string().into_bytes()
}

/// The answer of a lead that was handed over, or the word that all were posted.
async fn answered(
    c: &mut PgConnection,
    tenant: TenantId,
    batch: KeyId,
    delivery: &Delivery,
) -> Result<(), sqlx::Error> {
    if says_all(delivery) {
        return handed::complete(c, tenant, batch).await;
    }
    // What is no JSON is stored and told of, and answers nothing.
    let Ok(item) = serde_json::from_slice(&delivery.body) else { return Ok(()) };
    handed::take(c, tenant, batch, &item).await
}

/// `None`: it was recorded before.
async fn record(
    log: &Log,
    tenant: TenantId,
    delivery: &Delivery,
    receiver: Receiver,
    external: &str,
    received: WebhookReceived,
) -> Result<Option<Position>, TakeError> {
    let id = received.webhook_id;
    let mut tx = log.pool().begin().await?;
    let new = NewEvent {
        id,
        source: &received.source,
        external_id: external,
        purpose: receiver.purpose,
        kind: &received.kind,
        verified_by: &received.verified_by,
        object_path: &received.object_path,
        size_bytes: received.size_bytes,
        checksum: &received.checksum,
    };
    if !webhook_events::insert(&mut tx, tenant, &new).await? {
        return Ok(None);
    }
    if let Some(batch) = receiver.batch {
        answered(&mut tx, tenant, batch, delivery).await?;
    }
    let mut events: Vec<Event> = Vec::new();
    for told in read(delivery) {
        events.extend(effect::act(&mut tx, tenant, id, &told).await?);
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
    tx.commit().await?;
    log.wake();
    Ok(Some(position))
}
