//! /api/messages/approve and /api/messages/reject: drafts of a run or campaign, decided together.

use std::sync::Arc;

use http::StatusCode;
use luci_engine::book::sms_queue::{
    drafts::{self, Drafts},
    review::Decision,
};
use luci_schema::{CampaignId, RunId};
use serde::Deserialize;
use serde_json::json;

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    idempotency::{self, Begun},
    problem::Problem,
    serve,
};

/// One transaction holds the log's end: others wait for it.
const MOST: u32 = 200;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    run_id: Option<RunId>,
    campaign_id: Option<String>,
    limit: Option<u32>,
    /// Only counts.
    #[serde(default)]
    dry_run: bool,
}

pub async fn approve(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    decide(app, caller, ask, (Decision::Approve(None), "approved")).await
}

pub async fn reject(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    decide(app, caller, ask, (Decision::Reject, "rejected")).await
}

async fn decide(app: Arc<App>, caller: Caller, mut ask: Ask, (decision, status): (Decision, &str)) -> Answer {
    let (body, digest) = ask.json::<Body>().await?;
    let (which, most) = read(&body)?;
    if body.dry_run {
        let mut c = app.engine_pool.acquire().await?;
        let matched = drafts::count(&mut c, caller.tenant, &which).await?;
        let outcome = json!({"status": status, "dryRun": true, "matched": matched, "decided": 0, "left": matched});
        return Ok(serve::json(StatusCode::OK, &outcome));
    }
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let mut tx = app.engine_pool.begin().await?;
    let held = drafts::hold(&mut tx, caller.tenant, &which, most).await?;
    let (matched, decided) = (drafts::count(&mut tx, caller.tenant, &which).await?, held.len() as u64);
    let left = matched.saturating_sub(decided);
    let outcome = json!({"status": status, "dryRun": false, "matched": matched, "decided": decided, "left": left});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let position = drafts::decide(&mut tx, caller.tenant, &app.log, (&held, &decision), &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}

fn read(body: &Body) -> Result<(Drafts, u32), Problem> {
    let known = |id: &String| id.parse::<CampaignId>().is_ok() || id.parse::<RunId>().is_ok();
    if body.campaign_id.as_ref().is_some_and(|id| !known(id)) {
        return Err(Problem::invalid("campaignId", "a campaign id (camp_…) or a run id (run_…)"));
    }
    if body.run_id.is_none() && body.campaign_id.is_none() {
        return Err(Problem::invalid("runId", "runId, campaignId or both"));
    }
    let most = body.limit.unwrap_or(MOST);
    if !(1..=MOST).contains(&most) {
        return Err(Problem::invalid("limit", format!("1 to {MOST}")));
    }
    Ok((Drafts { run: body.run_id, campaign: body.campaign_id.clone() }, most))
}
