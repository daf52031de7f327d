//! `POST /api/retention/report`: what the rules, or others that the body gives, would remove now. Nothing is changed.

use std::{collections::BTreeMap, sync::Arc};

use http::StatusCode;
use luci_schema::Micros;
use luci_stages::retention::{self, table};
use serde::Deserialize;
use serde_json::json;

use super::problem;
use crate::{App, caller::Caller, reply, request::Request, routes::HandlerResult};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReportBody {
    days: Option<BTreeMap<String, u32>>,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, _) = request.json::<ReportBody>().await?;
    let days = match body.days {
        Some(days) => days,
        None => table::of(&mut *app.engine_pool.acquire().await?, caller.tenant).await?,
    };
    retention::check(&days)?;
    let report = retention::report(&app.log, &app.storage, caller.tenant, &days, Micros::now()).await;
    Ok(reply::json(StatusCode::OK, &json!({"days": days, "wouldRemove": report.map_err(problem)?})))
}
