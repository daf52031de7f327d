//! `GET /api/providers`: every provider with its credential source, limits, use and health.

use std::{collections::BTreeMap, sync::Arc};

use http::StatusCode;
use luci_providers::{ProviderName, Scope, credentials, health, limits};
use serde_json::{Value, json};

use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, _request: Request) -> HandlerResult {
    Ok(reply::json(StatusCode::OK, &json!({"providers": view(&app, &caller).await?})))
}

/// `{provider, configured, credential, updatedAt, limits, askedToday, health}` of each provider. The credential used is that
/// of the tenant, else that of the installation.
pub async fn view(app: &App, caller: &Caller) -> Result<Vec<Value>, Problem> {
    let (mut c, tenant) = (app.engine_pool.acquire().await?, caller.tenant);
    let own: BTreeMap<_, _> = credentials::list(&mut c, tenant).await?.into_iter().collect();
    let mut providers = Vec::new();
    for name in ProviderName::all() {
        let updated_at = own.get(name.as_str()).map(|at| at.rfc3339());
        let (scope, credential) = match updated_at {
            Some(_) => (Scope::Tenant(tenant), Some("tenant")),
            None => (Scope::Installation, app.own_providers.contains(&name).then_some("installation")),
        };
        let limits = limits::own(&mut c, tenant, name).await?;
        let today = limits::today(&mut c, tenant, name).await?;
        let health = health::read(&mut c, tenant, name, scope).await?;
        providers.push(json!({"provider": name, "configured": credential.is_some(), "credential": credential,
            "updatedAt": updated_at, "limits": limits, "askedToday": today, "health": health}));
    }
    Ok(providers)
}
