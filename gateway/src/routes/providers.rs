//! /api/providers: which outside providers the tenant can ask, and the tenant's own credentials there, never shown again.

use std::{collections::BTreeMap, sync::Arc};

use http::StatusCode;
use luci_engine::{
    admin::credentials::{self, Credential},
    provider::ProviderName,
};
use serde::Deserialize;
use serde_json::json;

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    idempotency::{self, Begun},
    serve,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CredentialBody {
    key: String,
    /// Beside the key, where the provider wants one.
    account: Option<String>,
}

/// Every provider, with whose credential it would be asked: the tenant's own, else the installation's.
pub async fn list(app: Arc<App>, caller: Caller, _ask: Ask) -> Answer {
    let mut c = app.engine_pool.acquire().await?;
    let own: BTreeMap<_, _> = credentials::list(&mut c, caller.tenant).await?.into_iter().collect();
    let providers: Vec<_> = ProviderName::ALL
        .into_iter()
        .map(|name| {
            let since = own.get(&name).map(|at| at.rfc3339());
            let credential = match since {
                Some(_) => Some("tenant"),
                None => app.own_providers.contains(&name).then_some("installation"),
            };
            json!({"provider": name, "configured": credential.is_some(), "credential": credential, "updatedAt": since})
        })
        .collect();
    Ok(serve::json(StatusCode::OK, &json!({"providers": providers})))
}

/// Keeps the tenant's own credential, in place of an earlier one.
pub async fn set(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let provider: ProviderName = ask.id(0, "provider")?;
    let (body, digest) = ask.json::<CredentialBody>().await?;
    let credential = Credential::new(provider, body.key, body.account)?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let (by, outcome) = (command.by(&caller), json!({"provider": provider, "configured": true}));
    let receipt = command.receipt(digest, &outcome);
    let mut tx = app.engine_pool.begin().await?;
    let at =
        credentials::set(&mut tx, caller.tenant, &app.log, &app.vault, provider, &credential, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, at))
}

/// Forgets it; the installation's, where there is one, is asked with from then on.
pub async fn remove(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let provider: ProviderName = ask.id(0, "provider")?;
    let command = match idempotency::begin(&app, &caller, &ask, [0; 32]).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let outcome = json!({"provider": provider, "configured": app.own_providers.contains(&provider)});
    let (by, receipt) = (command.by(&caller), command.receipt([0; 32], &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let removed = credentials::remove(&mut tx, caller.tenant, &app.log, provider, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, removed.unwrap_or_else(|| app.log.head())))
}
