//! `POST /api/views`: saves a view of the caller; one of the same page and name is replaced.

use std::sync::Arc;

use http::StatusCode;
use luci_config::{
    Right, tenants,
    views::{self, MAX_PER_KEY, NewView},
};
use serde::Deserialize;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, problem::Problem, request::Request, routes::HandlerResult};

const MAX_NAME: usize = 80;
const MAX_QUERY: usize = 2_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ViewBody {
    name: String,
    page: Page,
    #[serde(default)]
    query: String,
    #[serde(default)]
    shared: bool,
}

/// The pages that have views.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Page {
    Runs,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<ViewBody>().await?;
    let new = validate(&body)?;
    if new.shared && !caller.role.may(Right::Operate) {
        return Err(Problem::forbidden(format!("The role {} cannot share views.", caller.role)).into());
    }
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let mut tx = app.engine_pool.begin().await?;
    let saved = views::save(&mut tx, caller.tenant, caller.key, &new).await?;
    let view = saved.ok_or_else(|| {
        Problem::new(StatusCode::CONFLICT, "too-many-views", "Too many saved views")
            .detail(format!("At most {MAX_PER_KEY} views are kept for each key; remove one first."))
    })?;
    let outcome = idempotency::created(json!({"view": view}));
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let position = tenants::store_receipt(&mut tx, caller.tenant, &app.log, &by, receipt).await?;
    tx.commit().await?;
    Ok(idempotency::accepted(&outcome, position))
}

fn validate(body: &ViewBody) -> Result<NewView<'_>, Problem> {
    let name = body.name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Problem::invalid("name", format!("1 to {MAX_NAME} printable characters")));
    }
    let query = body.query.strip_prefix('?').unwrap_or(&body.query);
    if query.chars().count() > MAX_QUERY || query.chars().any(char::is_control) {
        return Err(Problem::invalid(
            "query",
            format!("the query of a page's address, at most {MAX_QUERY} characters"),
        ));
    }
    let Page::Runs = body.page;
    Ok(NewView { name, page: "runs", query, shared: body.shared })
}
