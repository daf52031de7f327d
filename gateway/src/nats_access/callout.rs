//! Answers nats-server's questions about clients that connect: who it is and what it may do, or that it is refused.
//!
//! All gateways subscribe as one queue group, so one of them answers. A question that none answers ends in a refusal.

use std::{sync::Arc, time::Duration};

use async_nats::{Message, Subscriber};
use futures::StreamExt;
use luci_schema::Micros;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{
    NatsAccess,
    credential::{Connected, NatsCredential},
    jwt::{self, AuthorizationRequest, JwtError},
};
use crate::App;

/// Where nats-server asks, in the account of the user that answers.
const SUBJECT: &str = "$SYS.REQ.USER.AUTH";
const QUEUE: &str = "luci-gateways";
/// Questions that are answered at the same time: each needs a connection to the database.
const CONCURRENCY: usize = 4;
/// Subscriptions of one client.
const MAX_SUBSCRIPTIONS: u64 = 256;
/// Pause before the subscription is made again.
const RETRY: Duration = Duration::from_secs(1);

/// Answers until it is dropped.
pub async fn run(app: &Arc<App>, access: &NatsAccess) {
    loop {
        match access.callout.queue_subscribe(SUBJECT, QUEUE.into()).await {
            Ok(questions) => answer_all(app, access, questions).await,
            Err(error) => tracing::warn!(%error, "cannot answer the auth callout of NATS"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn answer_all(app: &Arc<App>, access: &NatsAccess, mut questions: Subscriber) {
    let permits = Arc::new(Semaphore::new(CONCURRENCY));
    while let Some(question) = questions.next().await {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let (app, access) = (Arc::clone(app), access.clone());
        tokio::spawn(async move {
            if let Err(error) = answer(&app, &access, &question).await {
                tracing::warn!(%error, "auth callout of NATS not answered");
            }
            drop(permit);
        });
    }
}

#[derive(Debug, thiserror::Error)]
enum AnswerError {
    #[error("the question cannot be read: {0}")]
    Question(#[source] JwtError),
    #[error("the answer cannot be signed: {0}")]
    Answer(#[source] JwtError),
    #[error(transparent)]
    Publish(#[from] async_nats::PublishError),
}

async fn answer(app: &App, access: &NatsAccess, question: &Message) -> Result<(), AnswerError> {
    let Some(reply) = question.reply.clone() else { return Ok(()) };
    let text = String::from_utf8_lossy(&question.payload);
    let request = jwt::decode_request(&text).map_err(AnswerError::Question)?;
    let granted = check(app, &request).await;
    let outcome = if granted.is_ok() { "granted" } else { "refused" };
    metrics::counter!("luci_nats_callouts_total", "outcome" => outcome).increment(1);
    let claims = match granted {
        Ok((credential, until)) => {
            let user = user(&request, &credential, until, &access.account);
            json!({"jwt": jwt::encode(user, &app.nats_keys.issuer).map_err(AnswerError::Answer)?})
        }
        Err(why) => {
            tracing::debug!(why, "NATS client refused");
            json!({"error": why})
        }
    };
    let response = response(&request, claims);
    let response = jwt::encode(response, &app.nats_keys.issuer).map_err(AnswerError::Answer)?;
    access.callout.publish(reply, response.into()).await?;
    Ok(())
}

/// The client's credential and until when it may stay, or why it is refused.
async fn check(app: &App, request: &AuthorizationRequest) -> Result<(NatsCredential, Micros), String> {
    let sent = &request.nats.connect_opts;
    let text = sent.auth_token.as_deref().or(sent.pass.as_deref()).unwrap_or_default();
    let verified = NatsCredential::verify(text, app.nats_keys.credentials(), Micros::now());
    let credential = verified.map_err(|error| error.to_string())?;
    let unavailable = |error: &dyn std::fmt::Display| {
        tracing::warn!(%error, "NATS client refused: the database cannot be asked");
        "the database cannot be asked".to_owned()
    };
    let mut c = app.engine_pool.acquire().await.map_err(|error| unavailable(&error))?;
    let valid = Connected::from(&credential).valid_until(&mut c).await.map_err(|error| unavailable(&error))?;
    let until = valid.ok_or("the key or session has ended")?.min(credential.expires_at);
    Ok((credential, until))
}

/// The user: it subscribes to its tenant's subjects and its inbox, and publishes nothing.
fn user(request: &AuthorizationRequest, credential: &NatsCredential, until: Micros, account: &str) -> Value {
    let mut allowed = NatsCredential::subjects(credential.tenant).to_vec();
    allowed.push(format!("{}.>", credential.inbox_prefix()));
    json!({"sub": request.nats.user_nkey, "aud": account, "name": credential.connection_name(),
        "iat": seconds(Micros::now()), "exp": seconds(until),
        "nats": {"type": "user", "version": 2, "subs": MAX_SUBSCRIPTIONS, "data": -1, "payload": 1024,
            "allowed_connection_types": ["STANDARD", "WEBSOCKET"],
            "pub": {"deny": [">"]}, "sub": {"allow": allowed}}})
}

fn response(request: &AuthorizationRequest, mut claims: Value) -> Value {
    claims["type"] = "authorization_response".into();
    claims["version"] = 2.into();
    json!({"sub": request.nats.user_nkey, "aud": request.nats.server_id.id, "iat": seconds(Micros::now()),
        "nats": claims})
}

/// Whole seconds, rounded up: a client is not cut off before its credential ends.
fn seconds(at: Micros) -> i64 {
    at.0.saturating_add(999_999) / 1_000_000
}
