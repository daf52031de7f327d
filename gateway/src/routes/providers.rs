//! /api/providers: which outside providers the tenant can ask, and the tenant's own credentials there, never shown again.

use std::{collections::BTreeMap, sync::Arc};

use http::StatusCode;
use luci_engine::{
    admin::credentials::{self, Credential},
    provider::{OwnLimits, ProviderName, Scope, limits, weather},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
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
struct CredentialBody {
    key: String,
    /// Beside the key, where the provider wants one.
    account: Option<String>,
}

/// Every provider: whose credential it is asked with (the tenant's own, else the installation's), and how it behaves.
pub async fn list(app: Arc<App>, caller: Caller, _ask: Ask) -> Answer {
    Ok(serve::json(StatusCode::OK, &json!({"providers": state(&app, &caller).await?})))
}

/// `{provider, configured, credential, updatedAt, limits, askedToday, weather}` of each provider.
pub async fn state(app: &App, caller: &Caller) -> Result<Vec<Value>, Problem> {
    let (mut c, tenant) = (app.engine_pool.acquire().await?, caller.tenant);
    let own: BTreeMap<_, _> = credentials::list(&mut c, tenant).await?.into_iter().collect();
    let mut providers = Vec::new();
    for name in ProviderName::ALL {
        let since = own.get(&name).map(|at| at.rfc3339());
        let (scope, credential) = match since {
            Some(_) => (Scope::Tenant(tenant), Some("tenant")),
            None => (Scope::Installation, app.own_providers.contains(&name).then_some("installation")),
        };
        let limits = limits::own(&mut c, tenant, name).await?;
        let today = limits::today(&mut c, tenant, name).await?;
        let weather = weather::look(&mut c, tenant, name, scope).await?;
        providers.push(json!({"provider": name, "configured": credential.is_some(), "credential": credential,
            "updatedAt": since, "limits": limits, "askedToday": today, "weather": weather}));
    }
    Ok(providers)
}

/// Sets how many people the tenant lets a provider be asked for, in place of what it did; null is no limit of its own.
pub async fn limit(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let provider: ProviderName = ask.id(0, "provider")?;
    let (body, digest) = ask.json::<OwnLimits>().await?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let (by, outcome) = (command.by(&caller), json!({"provider": provider, "limits": body}));
    let receipt = command.receipt(digest, &outcome);
    let mut tx = app.engine_pool.begin().await?;
    let at = limits::set_own(&mut tx, caller.tenant, &app.log, (provider, body), &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, at))
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
