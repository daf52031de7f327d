//! `POST /api/keys`: creates a key; the secret is in the response once.

use std::sync::Arc;

use http::StatusCode;
use luci_config::{
    Role,
    keys::{self, NewKey},
};
use luci_schema::Micros;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use crate::{
    App,
    caller::Caller,
    idempotency,
    problem::Problem,
    reply,
    request::{
        Request,
        date::{TIME_HINT, parse_time},
    },
    routes::{HandlerResult, ROUTES},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyBody {
    #[serde(default)]
    name: String,
    role: Role,
    #[serde(default)]
    scopes: Vec<String>,
    expires_at: Option<String>,
}

/// The role is at most that of the caller; the actor is that of the caller.
pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<KeyBody>().await?;
    let new = validate(&caller, body)?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let mut tx = app.engine_pool.begin().await?;
    let by = command.by(&caller);
    let issued = keys::create(&mut tx, caller.tenant, &app.log, &new, &by, |key| {
        // The secret is not stored: a repeated request gets the key without it.
        command.receipt(digest, &idempotency::created(json!({"keyId": key, "role": new.role, "key": null})))
    })
    .await?;
    tx.commit().await?;
    app.log.wake();
    let body = json!({"keyId": issued.key_id, "role": new.role, "key": issued.secret.expose_secret(),
        "position": issued.position});
    Ok(reply::json(StatusCode::CREATED, &body))
}

fn validate(caller: &Caller, body: KeyBody) -> Result<NewKey, Problem> {
    if !caller.role.may_grant(body.role) {
        return Err(Problem::forbidden(format!("The role {} cannot create a key of role {}.", caller.role, body.role)));
    }
    if body.name.chars().count() > 200 {
        return Err(Problem::invalid("name", "at most 200 characters"));
    }
    let expires_at = body.expires_at.as_deref().map(expiry).transpose()?;
    if let Some(unknown) = body.scopes.iter().find(|scope| !ROUTES.iter().any(|route| route.scope() == **scope)) {
        return Err(Problem::invalid("scopes", format!("`{unknown}` is not a scope")));
    }
    beyond(caller, &body.scopes, expires_at)?;
    Ok(NewKey { actor: caller.actor, name: body.name, role: body.role, scopes: body.scopes, expires_at })
}

/// A key that creates a key cannot pass on more than it has, or for longer.
fn beyond(caller: &Caller, scopes: &[String], expires_at: Option<Micros>) -> Result<(), Problem> {
    if !caller.scopes.is_empty() {
        let own = caller.scopes.join(", ");
        if scopes.is_empty() {
            return Err(Problem::forbidden(format!("This key is limited to the scopes {own}: name some of them.")));
        }
        if let Some(scope) = scopes.iter().find(|scope| !caller.scopes.contains(scope)) {
            return Err(Problem::forbidden(format!("This key does not have the scope `{scope}`, only {own}.")));
        }
    }
    match (caller.key_expires_at, expires_at) {
        (Some(own), None) => {
            Err(Problem::forbidden(format!("This key expires at {}: give an earlier `expiresAt`.", own.rfc3339())))
        }
        (Some(own), Some(new)) if new > own => {
            Err(Problem::forbidden(format!("`expiresAt` is after this key's own, {}.", own.rfc3339())))
        }
        _ => Ok(()),
    }
}

fn expiry(text: &str) -> Result<Micros, Problem> {
    let at = parse_time(text).map(Micros::from).ok_or_else(|| Problem::invalid("expiresAt", TIME_HINT))?;
    if at <= Micros::now() {
        return Err(Problem::invalid("expiresAt", "a time in the future"));
    }
    Ok(at)
}
