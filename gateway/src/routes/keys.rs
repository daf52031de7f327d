//! /api/keys: keys of the tenant, made (the secret is shown once), listed, revoked.

use std::sync::Arc;

use http::StatusCode;
use luci_engine::admin::{
    Role,
    keys::{self, NewKey},
};
use luci_schema::{KeyId, Micros};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, runs::read_date};
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    idempotency::{self, Begun},
    problem::Problem,
    serve,
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

pub async fn list(app: Arc<App>, caller: Caller, _ask: Ask) -> Answer {
    let mut c = app.engine_pool.acquire().await?;
    let keys = keys::list(&mut c, caller.tenant).await?;
    Ok(serve::json(StatusCode::OK, &json!({"keys": keys})))
}

/// Makes a key of at most the caller's own role, acting as the caller.
pub async fn create(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json::<KeyBody>().await?;
    let new = checked(&caller, body)?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let mut tx = app.engine_pool.begin().await?;
    let by = command.by(&caller);
    let issued = keys::create(&mut tx, caller.tenant, &app.log, &new, &by, |key| {
        // The secret is not kept anywhere: asked again, the answer is the key without it.
        command.receipt(digest, &json!({"httpStatus": 201, "keyId": key, "role": new.role, "key": null}))
    })
    .await?;
    tx.commit().await?;
    app.log.wake();
    let body = json!({"keyId": issued.key_id, "role": new.role, "key": issued.secret.expose_secret(),
        "position": issued.position});
    Ok(serve::json(StatusCode::CREATED, &body))
}

fn checked(caller: &Caller, body: KeyBody) -> Result<NewKey, Problem> {
    if !caller.role.may_grant(body.role) {
        return Err(Problem::forbidden(format!(
            "A key of role {} may not make one of role {}.",
            caller.role, body.role
        )));
    }
    if body.name.chars().count() > 200 {
        return Err(Problem::invalid("name", "at most 200 characters"));
    }
    let expires_at = body.expires_at.as_deref().map(expiry).transpose()?;
    if let Some(unknown) = body.scopes.iter().find(|scope| !super::ROUTES.iter().any(|route| route.group() == **scope))
    {
        return Err(Problem::invalid("scopes", format!("`{unknown}` is no group of operations")));
    }
    Ok(NewKey { actor: caller.actor, name: body.name, role: body.role, scopes: body.scopes, expires_at })
}

fn expiry(text: &str) -> Result<Micros, Problem> {
    let at = read_date(text).map(Micros::from).ok_or_else(|| Problem::invalid("expiresAt", "a time (RFC 3339)"))?;
    if at <= Micros::now() {
        return Err(Problem::invalid("expiresAt", "a time in the future"));
    }
    Ok(at)
}

/// Ends a key for good; ended before, it stays so. An owner's key is ended by owners only.
pub async fn revoke(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let key: KeyId = ask.id(0, "key")?;
    let command = match idempotency::begin(&app, &caller, &ask, [0; 32]).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let mut tx = app.engine_pool.begin().await?;
    let role = keys::role_of(&mut tx, caller.tenant, key).await?.ok_or_else(|| Problem::not_found("key"))?;
    if !caller.role.may_grant(role) {
        return Err(Problem::forbidden(format!("A key of role {} may not end one of role {role}.", caller.role)));
    }
    let by = command.by(&caller);
    let outcome = json!({"keyId": key, "status": "revoked"});
    let revoked = keys::revoke(&mut tx, caller.tenant, &app.log, key, &by, command.receipt([0; 32], &outcome)).await?;
    tx.commit().await?;
    app.log.wake();
    app.callers.forget();
    Ok(idempotency::accepted(&outcome, revoked.unwrap_or_else(|| app.log.head())))
}
