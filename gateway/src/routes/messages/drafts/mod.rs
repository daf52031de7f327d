//! Decides all drafts of a run or campaign at once.

pub mod approve;
pub mod reject;

use std::sync::Arc;

use http::StatusCode;
use luci_messaging::store::sms_queue::{
    drafts::{self, DraftFilter},
    review::Decision,
};
use luci_schema::{CampaignId, RunId};
use serde::Deserialize;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, problem::Problem, reply, request::Request, routes::HandlerResult};

/// Drafts of one call, at most: the transaction blocks other appends to the log.
const MAX_DRAFTS: u32 = 200;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    run_id: Option<RunId>,
    campaign_id: Option<String>,
    limit: Option<u32>,
    /// Counts the drafts and decides none.
    #[serde(default)]
    dry_run: bool,
}

/// Executes the decision on the selected drafts.
pub async fn decide(
    app: Arc<App>,
    caller: Caller,
    mut request: Request,
    (decision, status): (Decision, &str),
) -> HandlerResult {
    let (body, digest) = request.json::<Body>().await?;
    let (selection, max) = parse(&body)?;
    if body.dry_run {
        let mut c = app.engine_pool.acquire().await?;
        let matched = drafts::count(&mut c, caller.tenant, &selection).await?;
        let outcome = json!({"status": status, "dryRun": true, "matched": matched, "decided": 0, "left": matched});
        return Ok(reply::json(StatusCode::OK, &outcome));
    }
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let mut tx = app.engine_pool.begin().await?;
    let locked = drafts::lock(&mut tx, caller.tenant, &selection, max).await?;
    let (matched, decided) = (drafts::count(&mut tx, caller.tenant, &selection).await?, locked.len() as u64);
    let left = matched.saturating_sub(decided);
    let outcome = json!({"status": status, "dryRun": false, "matched": matched, "decided": decided, "left": left});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let position = drafts::decide(&mut tx, caller.tenant, &app.log, (&locked, &decision), &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}

fn parse(body: &Body) -> Result<(DraftFilter, u32), Problem> {
    let valid = |id: &String| id.parse::<CampaignId>().is_ok() || id.parse::<RunId>().is_ok();
    if body.campaign_id.as_ref().is_some_and(|id| !valid(id)) {
        return Err(Problem::invalid("campaignId", "a campaign id (camp_…) or a run id (run_…)"));
    }
    if body.run_id.is_none() && body.campaign_id.is_none() {
        return Err(Problem::invalid("runId", "runId, campaignId or both"));
    }
    let max = body.limit.unwrap_or(MAX_DRAFTS);
    if !(1..=MAX_DRAFTS).contains(&max) {
        return Err(Problem::invalid("limit", format!("1 to {MAX_DRAFTS}")));
    }
    Ok((DraftFilter { run: body.run_id, campaign: body.campaign_id.clone() }, max))
}
