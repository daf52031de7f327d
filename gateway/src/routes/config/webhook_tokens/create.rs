//! `POST /api/webhook-tokens`: creates a webhook token; the token is in the response once.

use std::sync::Arc;

use http::StatusCode;
use luci_messaging::{
    store::webhook_tokens::{self, NewToken, WebhookPurpose},
    webhooks::{self, WebhookSource},
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
    request::{Request, date::parse_time},
    routes::HandlerResult,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TokenBody {
    source: String,
    /// `status`, `automation:ID` or `block:RUN:BLOCK:ATTEMPT`.
    #[serde(default = "default_purpose")]
    purpose: String,
    signing_secret: Option<String>,
    expires_at: Option<String>,
}

fn default_purpose() -> String {
    "status".to_owned()
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<TokenBody>().await?;
    let source: WebhookSource = body.source.parse().map_err(|error| Problem::invalid("source", format!("{error}")))?;
    let new = validate(source, body)?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let by = command.by(&caller);
    let purpose = new.purpose.to_string();
    let mut tx = app.engine_pool.begin().await?;
    let issued = webhook_tokens::create(&mut tx, caller.tenant, (&app.log, &app.vault), &new, &by, |id| {
        // The token is not stored: a repeated request gets the response without it.
        let outcome = idempotency::created(json!({"tokenId": id, "source": source.as_str(), "purpose": purpose,
            "token": null, "path": null}));
        command.receipt(digest, &outcome)
    })
    .await?;
    tx.commit().await?;
    app.log.wake();
    let token = issued.token.expose_secret();
    let body = json!({"tokenId": issued.id, "source": source.as_str(), "purpose": purpose, "token": token,
        "path": format!("/api/webhooks/{source}/{token}"), "position": issued.position});
    Ok(reply::json(StatusCode::CREATED, &body))
}

fn validate(source: WebhookSource, body: TokenBody) -> Result<NewToken, Problem> {
    let purpose: WebhookPurpose =
        body.purpose.parse().map_err(|error| Problem::invalid("purpose", format!("{error}")))?;
    let signing = body.signing_secret.as_deref().map(|secret| webhooks::checked_secret(source, secret));
    let signing = signing.transpose().map_err(|bad| Problem::invalid("signingSecret", bad.to_string()))?;
    let expires_at = match body.expires_at.as_deref() {
        None => None,
        Some(text) => match parse_time(text).map(Micros::from) {
            Some(at) if at > Micros::now() => Some(at),
            _ => return Err(Problem::invalid("expiresAt", "a time in the future (RFC 3339)")),
        },
    };
    Ok(NewToken { source, purpose, signing, expires_at })
}
