//! GET /api/pipelines/{runId}/verify: the run's hash chain, recomputed from the first event to the head.

use std::sync::Arc;

use http::StatusCode;
use luci_schema::{
    Micros, RunId, Version,
    log::{Chain, ChainError},
};
use serde_json::json;

use super::Answer;
use crate::{App, ask::Ask, caller::Caller, problem::Problem, serve};

/// Events read at once.
const PAGE: usize = 1_000;

pub async fn get(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    let head = app.log.stream_head(caller.tenant, run.into()).await?;
    let (newest, hash) = head.ok_or_else(|| Problem::not_found("run"))?;
    let mut chain = Chain::new(run.into());
    let (mut at, mut bad, mut last) = (Version(0), None, None);
    while bad.is_none() && at < newest {
        let page = app.log.read_stream(caller.tenant, run.into(), at, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for event in page.iter().take_while(|event| event.version <= newest) {
            if let Err(error) = chain.follow(event) {
                bad = Some((event.version, error));
                break;
            }
            (at, last) = (event.version, Some((event.hash, event.position)));
        }
    }
    // A chain that ends before its head was cut.
    let complete = bad.is_some() || (at == newest && last.is_some_and(|(found, _)| found == hash));
    let first_bad = bad.as_ref().map(|(version, error)| fault(*version, error));
    let body = json!({"runId": run, "intact": bad.is_none() && complete, "complete": complete, "checked": at,
        "version": newest, "headHash": hex::encode(hash), "firstBad": first_bad,
        "position": last.map(|(_, position)| position), "checkedAt": Micros::now().rfc3339()});
    Ok(serve::json(StatusCode::OK, &body))
}

fn fault(version: Version, error: &ChainError) -> serde_json::Value {
    json!({"version": version, "reason": error.to_string()})
}
