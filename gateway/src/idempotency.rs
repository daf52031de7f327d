//! Doing a command once: its id is derived from who sent what under which key, its receipt lies in the log.

use http::StatusCode;
use luci_engine::{admin::By, issue::Cause};
use luci_schema::{
    CommandId, CorrelationId, EventId, Hash, Position,
    log::{NewReceipt, Receipt},
};
use serde_json::Value;
use warp::reply::Response;

use crate::{App, ask::Ask, caller::Caller, problem::Problem, serve::json};

/// A command as it is known: derived from the caller's key, or fresh when it sent none.
pub struct Command {
    pub id: CommandId,
    pub correlation: Option<CorrelationId>,
    keyed: bool,
}

/// Whether the command is new, or was done before and is answered from its receipt.
pub enum Begun {
    Fresh(Command),
    Done(Response),
}

/// Names the command and looks whether it was done: same key and body → the same answer, another body → 422.
pub async fn begin(app: &App, caller: &Caller, ask: &Ask, digest: Hash) -> Result<Begun, Problem> {
    let command = Command::name(caller, ask)?;
    match command.done(app, caller).await? {
        Some(receipt) => answer(&receipt, digest).map(Begun::Done),
        None => Ok(Begun::Fresh(command)),
    }
}

impl Command {
    /// SHA-256 over tenant, actor, method, path and key.
    pub fn name(caller: &Caller, ask: &Ask) -> Result<Self, Problem> {
        let correlation = ask.correlation()?;
        let Some(key) = key(ask)? else {
            let id = CommandId::derive(&["once", &EventId::generate().to_string()]);
            return Ok(Self { id, correlation, keyed: false });
        };
        let (tenant, actor) = (caller.tenant.to_string(), caller.actor.to_string());
        let id = CommandId::derive(&[&tenant, &actor, ask.method.as_str(), &ask.path, key]);
        Ok(Self { id, correlation, keyed: true })
    }

    /// Its receipt, when it was carried out before.
    pub async fn done(&self, app: &App, caller: &Caller) -> Result<Option<Receipt>, Problem> {
        if !self.keyed {
            return Ok(None);
        }
        Ok(app.log.receipt(caller.tenant, &self.id).await?)
    }

    /// What the append keeps so that the answer can be given again; nothing without a key.
    pub fn receipt(&self, digest: Hash, outcome: &Value) -> Option<NewReceipt> {
        self.keyed.then(|| NewReceipt { body_digest: digest, outcome: outcome.clone() })
    }

    /// As the author of a change of configuration.
    pub fn by(&self, caller: &Caller) -> By {
        By {
            actor: caller.author(),
            command: self.id.clone(),
            correlation: self.correlation.unwrap_or_else(CorrelationId::generate),
        }
    }

    /// As the cause of a run command.
    pub fn cause(&self, caller: &Caller, ask: &Ask, digest: Hash, outcome: &Value) -> Result<Cause, Problem> {
        Ok(Cause {
            actor: caller.author(),
            command: self.id.clone(),
            correlation: self.correlation,
            causation: None,
            receipt: self.keyed.then(|| (digest, outcome.clone())),
            if_match: ask.if_match()?,
        })
    }
}

/// The answer of a command that was done before.
pub fn answer(receipt: &Receipt, digest: Hash) -> Result<Response, Problem> {
    if receipt.body_digest != digest {
        return Err(Problem::key_reused());
    }
    Ok(accepted(&receipt.outcome, receipt.position))
}

/// 202 with the outcome and the position it was recorded at. An outcome may name another status under `httpStatus`.
pub fn accepted(outcome: &Value, position: Position) -> Response {
    let mut body = outcome.clone();
    let mut status = StatusCode::ACCEPTED;
    if let Value::Object(fields) = &mut body {
        let named = fields.remove("httpStatus").and_then(|code| u16::try_from(code.as_u64()?).ok());
        status = named.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(status);
        fields.insert("position".into(), position.0.into());
    }
    let mut response = json(status, &body);
    response.headers_mut().insert("luci-position", position.0.into());
    response
}

fn key(ask: &Ask) -> Result<Option<&str>, Problem> {
    let Some(value) = ask.headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(text) if (1..=255).contains(&text.trim().len()) => Ok(Some(text.trim())),
        _ => Err(Problem::invalid("Idempotency-Key", "1 to 255 visible ASCII characters")),
    }
}
