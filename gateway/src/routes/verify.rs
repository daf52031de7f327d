//! GET /api/pipelines/{runId}/verify: the run's hash chain, recomputed from the first event to the head.

use std::sync::Arc;

use http::StatusCode;
use luci_schema::{Micros, RunId, Version, log::Chain};
use serde_json::{Value, json};

use super::Answer;
use crate::{App, ask::Ask, caller::Caller, problem::Problem, serve};

/// Events read at once.
const PAGE: usize = 1_000;

pub async fn get(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    let head = app.log.stream_head(caller.tenant, run.into()).await?;
    let (newest, hash) = head.ok_or_else(|| Problem::not_found("run"))?;
    let mut chain = Chain::new(run.into());
    let (mut at, mut bad, mut last, mut size) = (Version(0), None, None, PAGE);
    while bad.is_none() && at < newest {
        let page = match app.log.read_stream(caller.tenant, run.into(), at, size).await {
            Ok(page) if page.is_empty() => break,
            Ok(page) => page,
            // One by one, to name the one.
            Err(error) if error.is_damage() && size > 1 => {
                size = 1;
                continue;
            }
            Err(error) if error.is_damage() => {
                bad = Some(fault(at.0 + 1, format!("version {} cannot be read as an event", at.0 + 1)));
                break;
            }
            Err(error) => return Err(error.into()),
        };
        for event in page.iter().take_while(|event| event.version <= newest) {
            if let Err(error) = chain.follow(event) {
                bad = Some(fault(event.version.0, error.to_string()));
                break;
            }
            (at, last) = (event.version, Some((event.hash, event.position)));
        }
    }
    // A chain that ends before its head was cut.
    let complete = bad.is_some() || (at == newest && last.is_some_and(|(found, _)| found == hash));
    let intact = bad.is_none() && complete;
    let first_bad = bad.or_else(|| (!complete).then(|| cut(at, newest)));
    let body = json!({"runId": run, "intact": intact, "complete": complete, "checked": at,
        "version": newest, "headHash": hex::encode(hash), "firstBad": first_bad,
        "position": last.map(|(_, position)| position), "checkedAt": Micros::now().rfc3339()});
    Ok(serve::json(StatusCode::OK, &body))
}

fn cut(at: Version, newest: Version) -> Value {
    if at < newest {
        return fault(at.0 + 1, format!("the history ends at version {at}, and its head is {newest}"));
    }
    fault(at.0, format!("version {at} is not the event that the head names"))
}

fn fault(version: u64, reason: String) -> Value {
    json!({"version": version, "reason": reason})
}
