//! /api/webhook-tokens: addresses for providers to call, made (the token is shown once), listed, revoked.

use std::sync::Arc;

use http::StatusCode;
use luci_engine::{
    admin::webhook_tokens::{self, NewToken, Purpose},
    webhooks::Source,
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
struct TokenBody {
    source: String,
    /// `status`, `automation:ID` or `block:RUN:BLOCK:ATTEMPT`.
    #[serde(default = "status")]
    purpose: String,
    signing_secret: Option<String>,
    expires_at: Option<String>,
}

fn status() -> String {
    "status".to_owned()
}

pub async fn list(app: Arc<App>, caller: Caller, _ask: Ask) -> Answer {
    let mut c = app.engine_pool.acquire().await?;
    let tokens = webhook_tokens::list(&mut c, caller.tenant).await?;
    Ok(serve::json(StatusCode::OK, &json!({"tokens": tokens})))
}

pub async fn create(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json::<TokenBody>().await?;
    let source: Source = body.source.parse().map_err(|error| Problem::invalid("source", format!("{error}")))?;
    let new = checked(source, body)?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let by = command.by(&caller);
    let purpose = new.purpose.to_string();
    let mut tx = app.engine_pool.begin().await?;
    let issued = webhook_tokens::create(&mut tx, caller.tenant, (&app.log, &app.vault), &new, &by, |id| {
        // The token is kept nowhere: asked again, the answer is the same without it.
        let outcome = json!({"httpStatus": 201, "tokenId": id, "source": source.as_str(), "purpose": purpose,
            "token": null, "path": null});
        command.receipt(digest, &outcome)
    })
    .await?;
    tx.commit().await?;
    app.log.wake();
    let token = issued.token.expose_secret();
    let body = json!({"tokenId": issued.id, "source": source.as_str(), "purpose": purpose, "token": token,
        "path": format!("/api/webhooks/{source}/{token}"), "position": issued.position});
    Ok(serve::json(StatusCode::CREATED, &body))
}

fn checked(source: Source, body: TokenBody) -> Result<NewToken, Problem> {
    let purpose: Purpose = body.purpose.parse().map_err(|error| Problem::invalid("purpose", format!("{error}")))?;
    let fits = |secret: &String| (8..=2_000).contains(&secret.len());
    if body.signing_secret.as_ref().is_some_and(|secret| !fits(secret)) {
        return Err(Problem::invalid("signingSecret", "8 to 2000 characters"));
    }
    let expires_at = match body.expires_at.as_deref() {
        None => None,
        Some(text) => match read_date(text).map(Micros::from) {
            Some(at) if at > Micros::now() => Some(at),
            _ => return Err(Problem::invalid("expiresAt", "a time in the future (RFC 3339)")),
        },
    };
    Ok(NewToken { source, purpose, signing: body.signing_secret.map(Into::into), expires_at })
}

pub async fn revoke(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let id: KeyId = ask.id(0, "token")?;
    let command = match idempotency::begin(&app, &caller, &ask, [0; 32]).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let outcome = json!({"tokenId": id, "status": "revoked"});
    let (by, receipt) = (command.by(&caller), command.receipt([0; 32], &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let revoked = webhook_tokens::revoke(&mut tx, caller.tenant, &app.log, id, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, revoked.unwrap_or_else(|| app.log.head())))
}
