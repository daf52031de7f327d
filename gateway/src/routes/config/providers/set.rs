//! `PUT /api/providers/{provider}`: stores a credential of the tenant, which replaces an earlier one.

use std::sync::Arc;

use luci_providers::{
    ProviderName,
    credentials::{self, Credential},
};
use serde::Deserialize;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, request::Request, routes::HandlerResult};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CredentialBody {
    key: String,
    /// The account, for providers that need one besides the key.
    account: Option<String>,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let provider: ProviderName = request.id(0, "provider")?;
    let (body, digest) = request.json::<CredentialBody>().await?;
    let credential = Credential::new(provider, body.key, body.account)?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let (by, outcome) = (command.by(&caller), json!({"provider": provider, "configured": true}));
    let receipt = command.receipt(digest, &outcome);
    let mut tx = app.engine_pool.begin().await?;
    let at =
        credentials::set(&mut tx, caller.tenant, &app.log, &app.vault, provider, &credential, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, at))
}
