//! `GET /api/sending/countries`: the countries whose numbers the tenant contacts. `POST`: replaces them.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::normalise::phone::Country;
use luci_messaging::store::send_countries;
use serde::Deserialize;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, problem::Problem, reply, request::Request, routes::HandlerResult};

pub async fn get(app: Arc<App>, caller: Caller, _: Request) -> HandlerResult {
    let mut c = app.engine_pool.acquire().await?;
    let countries = send_countries::allowed(&mut c, caller.tenant).await?;
    Ok(reply::json(StatusCode::OK, &json!({"countries": countries})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CountriesBody {
    countries: Vec<String>,
}

pub async fn update(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<CountriesBody>().await?;
    let codes: Result<Vec<Country>, _> = body.countries.iter().map(|code| code.parse()).collect();
    let mut countries = codes.map_err(|_| Problem::invalid("countries", "codes of countries, like US"))?;
    countries.sort_unstable();
    countries.dedup();
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let outcome = json!({"countries": countries});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let position = send_countries::update(&mut tx, caller.tenant, &app.log, &countries, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}
