//! `GET /api/pipelines/{runId}/verify`: recomputes the hash chain of a run, from the first event to the head.

use std::sync::Arc;

use http::StatusCode;
use luci_schema::{Micros, RunId, Version, log::Chain};
use serde_json::{Value, json};

use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

/// Events read from the log at once.
const PAGE: usize = 500;

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let run: RunId = request.id(0, "run")?;
    let head = app.log.stream_head(caller.tenant, run.into()).await?;
    let (newest, hash) = head.ok_or_else(|| Problem::not_found("run"))?;
    let _turn = app.heavy_reads.begin(caller.tenant).await?;
    let mut chain = Chain::new(run.into());
    let (mut at, mut first_bad, mut last, mut size) = (Version(0), None, None, PAGE);
    while first_bad.is_none() && at < newest {
        let page = match app.log.read_stream(caller.tenant, run.into(), at, size).await {
            Ok(page) if page.is_empty() => break,
            Ok(page) => page,
            // Read one by one to find the damaged event.
            Err(error) if error.is_damage() && size > 1 => {
                size = 1;
                continue;
            }
            Err(error) if error.is_damage() => {
                first_bad = Some(fault(at.0 + 1, format!("version {} cannot be decoded", at.0 + 1)));
                break;
            }
            Err(error) => return Err(error.into()),
        };
        for event in page.iter().take_while(|event| event.version <= newest) {
            if let Err(error) = chain.follow(event) {
                first_bad = Some(fault(event.version.0, error.to_string()));
                break;
            }
            (at, last) = (event.version, Some((event.hash, event.position)));
        }
    }
    // A chain that ends before its head was truncated.
    let complete = first_bad.is_some() || (at == newest && last.is_some_and(|(found, _)| found == hash));
    let intact = first_bad.is_none() && complete;
    let first_bad = first_bad.or_else(|| (!complete).then(|| truncated(at, newest)));
    let body = json!({"runId": run, "intact": intact, "complete": complete, "checked": at,
        "version": newest, "headHash": hex::encode(hash), "firstBad": first_bad,
        "position": last.map(|(_, position)| position), "checkedAt": Micros::now().rfc3339()});
    Ok(reply::json(StatusCode::OK, &body))
}

fn truncated(at: Version, newest: Version) -> Value {
    if at < newest {
        return fault(at.0 + 1, format!("the history ends at version {at}, but its head is version {newest}"));
    }
    fault(at.0, format!("the hash of version {at} differs from that of the head"))
}

fn fault(version: u64, reason: String) -> Value {
    json!({"version": version, "reason": reason})
}
