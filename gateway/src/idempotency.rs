//! Idempotent commands: the id of a command is derived from caller, route and `Idempotency-Key`; its receipt is in the log.

use std::sync::{Arc, OnceLock};

use http::StatusCode;
use luci_config::By;
use luci_runs::issue::Cause;
use luci_schema::{
    CommandId, CorrelationId, EventId, Hash, Position,
    log::{NewReceipt, Receipt},
};
use serde_json::Value;
use warp::reply::Response;

use crate::{App, caller::Caller, early_response::EarlyResponse, problem::Problem, reply::json, request::Request};

/// A command of a caller. Its id is derived from the key, or random without one.
pub struct Command {
    pub id: CommandId,
    pub correlation: Option<CorrelationId>,
    has_key: bool,
}

/// The command, when it is new. One that was executed before ends the handler with the response of its receipt; the same key
/// with another body is a 422.
pub async fn check(app: &App, caller: &Caller, request: &Request, digest: Hash) -> Result<Command, EarlyResponse> {
    let command = Command::identify(caller, request)?;
    let _set_by_an_earlier_check = request.checked_digest.set(digest);
    match command.find_receipt(app, caller).await? {
        Some(receipt) => Err(EarlyResponse::Replay(Box::new(replay(&receipt, digest)?))),
        None => Ok(command),
    }
}

/// A request with an `Idempotency-Key`: what another request with the same key did meanwhile is its answer too.
pub struct Repeat {
    command: CommandId,
    digest: Arc<OnceLock<Hash>>,
}

impl Repeat {
    /// `None` without a valid key.
    pub fn of(caller: &Caller, request: &Request) -> Option<Self> {
        let command = Command::identify(caller, request).ok().filter(|command| command.has_key)?;
        Some(Self { command: command.id, digest: Arc::clone(&request.checked_digest) })
    }

    /// The handler's answer. If it failed because the other request was faster, the answer of that one: it has committed,
    /// since its receipt or its rows were in the way.
    pub async fn answer(
        self,
        app: &App,
        caller: &Caller,
        answer: Result<Response, EarlyResponse>,
    ) -> Result<Response, EarlyResponse> {
        let failed = match &answer {
            Ok(response) => response.status().is_client_error(),
            Err(EarlyResponse::Problem(_)) => true,
            Err(EarlyResponse::Replay(_)) => false,
        };
        let Some(digest) = self.digest.get().filter(|_| failed) else { return answer };
        match app.log.receipt(caller.tenant, &self.command).await {
            Ok(Some(receipt)) if receipt.body_digest == *digest => Ok(replay(&receipt, *digest)?),
            Ok(_) | Err(_) => answer,
        }
    }
}

impl Command {
    /// The id is the SHA-256 of tenant, actor, method, path and key.
    pub fn identify(caller: &Caller, request: &Request) -> Result<Self, Problem> {
        let correlation = request.correlation()?;
        let Some(key) = key(request)? else {
            let id = CommandId::derive(&["once", &EventId::generate().to_string()]);
            return Ok(Self { id, correlation, has_key: false });
        };
        let (tenant, actor) = (caller.tenant.to_string(), caller.actor.to_string());
        let id = CommandId::derive(&[&tenant, &actor, request.method.as_str(), &request.path, key]);
        Ok(Self { id, correlation, has_key: true })
    }

    /// The receipt, when the command was executed before.
    pub async fn find_receipt(&self, app: &App, caller: &Caller) -> Result<Option<Receipt>, Problem> {
        if !self.has_key {
            return Ok(None);
        }
        Ok(app.log.receipt(caller.tenant, &self.id).await?)
    }

    /// The receipt to append with the events of the command; `None` without a key.
    pub fn receipt(&self, digest: Hash, outcome: &Value) -> Option<NewReceipt> {
        self.has_key.then(|| NewReceipt { body_digest: digest, outcome: outcome.clone() })
    }

    /// The author of a change of configuration.
    pub fn by(&self, caller: &Caller) -> By {
        By {
            actor: caller.author(),
            command: self.id.clone(),
            correlation: self.correlation.unwrap_or_else(CorrelationId::generate),
        }
    }

    /// The cause of a run command.
    pub fn cause(&self, caller: &Caller, request: &Request, digest: Hash, outcome: &Value) -> Result<Cause, Problem> {
        Ok(Cause {
            actor: caller.author(),
            command: self.id.clone(),
            correlation: self.correlation,
            causation: None,
            receipt: self.has_key.then(|| (digest, outcome.clone())),
            if_match: request.if_match()?,
        })
    }
}

/// The response of a command that was executed before.
pub fn replay(receipt: &Receipt, digest: Hash) -> Result<Response, Problem> {
    if receipt.body_digest != digest {
        return Err(Problem::key_reused());
    }
    Ok(accepted(&receipt.outcome, receipt.position))
}

/// The field of a stored outcome that holds the status of its answer. Only this file writes and reads it.
const STATUS_FIELD: &str = "httpStatus";

/// The outcome of a command that created something: it is answered with 201, also when it is repeated.
pub fn created(mut outcome: Value) -> Value {
    outcome[STATUS_FIELD] = StatusCode::CREATED.as_u16().into();
    outcome
}

/// The outcome of a command of the older platform: it is answered with 200, also when it is repeated.
pub fn answered(mut outcome: Value) -> Value {
    outcome[STATUS_FIELD] = StatusCode::OK.as_u16().into();
    outcome
}

/// 202, 200 for what `answered` made, or 201 for what `created` made, with the outcome and the position of its last event.
pub fn accepted(outcome: &Value, position: Position) -> Response {
    let mut body = outcome.clone();
    let mut status = StatusCode::ACCEPTED;
    if let Value::Object(fields) = &mut body {
        let other = fields.remove(STATUS_FIELD).and_then(|code| u16::try_from(code.as_u64()?).ok());
        status = other.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(status);
        fields.insert("position".into(), position.0.into());
    }
    let mut response = json(status, &body);
    response.headers_mut().insert("luci-position", position.0.into());
    response
}

fn key(request: &Request) -> Result<Option<&str>, Problem> {
    let Some(value) = request.headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(text) if (1..=255).contains(&text.trim().len()) => Ok(Some(text.trim())),
        _ => Err(Problem::invalid("Idempotency-Key", "1 to 255 visible ASCII characters")),
    }
}
