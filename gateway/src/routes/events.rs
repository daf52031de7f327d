//! GET /api/pipelines/{runId}/events and …/{eventId}: the run's history as it is in the log, hashes included.

use std::sync::Arc;

use http::StatusCode;
use luci_schema::{EventId, Position, Recorded, RunId, Version, history::EventText};
use serde::Serialize;

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    problem::Problem,
    reads::{run_exists, version_at},
    serve,
};

/// Events read at once, and at most for one answer: a filter that matches little ends the page early.
const PAGE: usize = 500;
const SCANNED: usize = 10_000;

/// Written at once: a `Value` in between would write numbers its own way, and the bytes would not be those that were hashed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    events: Vec<EventText<'a>>,
    has_more: bool,
    next_cursor: Option<String>,
    version: Version,
    position: Position,
}

/// Which events of a run are asked for.
struct Wanted {
    /// `block:completed`, or `block:` for a group; none means all.
    types: Vec<String>,
    failed: bool,
}

impl Wanted {
    fn read(ask: &Ask) -> Result<Self, Problem> {
        let failed = match ask.query("failed").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Problem::invalid("failed", "true or false")),
        };
        Ok(Self { types: ask.query_all("type"), failed })
    }

    fn has(&self, event: &Recorded) -> bool {
        let named = |wanted: &String| match wanted.strip_suffix('*') {
            Some(prefix) => event.event_type.starts_with(prefix),
            None => event.event_type == *wanted,
        };
        (self.types.is_empty() || self.types.iter().any(named))
            && (!self.failed || event.event_type.ends_with(":failed"))
    }
}

pub async fn list(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    let (wanted, limit) = (Wanted::read(&ask)?, ask.limit(100, 500)? as usize);
    let newest = run_exists(&app, &caller, run).await?;
    let mut at = start(&app, &caller, run, &ask, newest).await?;
    let (mut found, mut scanned, mut more) = (Vec::new(), 0, true);
    while more && found.len() < limit && scanned < SCANNED {
        let page = app.log.read_stream(caller.tenant, run.into(), at, PAGE.min(limit.max(50))).await?;
        more = !page.is_empty();
        for event in page {
            if found.len() == limit {
                break;
            }
            at = event.version;
            scanned += 1;
            if wanted.has(&event) {
                found.push(event);
            }
        }
        more = more && at < newest;
    }
    let events = found.iter().map(|event| EventText::try_from(event.as_ref())).collect::<Result<Vec<_>, _>>();
    let events = events.map_err(|error| Problem::internal(&error))?;
    let next = (at < newest).then(|| format!("v{at}"));
    let position = app.log.head();
    let body = Page { events, has_more: next.is_some(), next_cursor: next, version: newest, position };
    Ok(serve::json(StatusCode::OK, &body))
}

/// `after=90210` is a position, as in the streams; `after=v143` and `cursor` are versions of the run.
async fn start(app: &App, caller: &Caller, run: RunId, ask: &Ask, newest: Version) -> Result<Version, Problem> {
    let Some(text) = ask.query("cursor").or_else(|| ask.query("after")) else { return Ok(Version(0)) };
    let wrong = || Problem::invalid("after", "a position (`90210`) or a version of the run (`v143`)");
    if let Some(version) = text.strip_prefix('v') {
        return version.parse().map(Version).map_err(|_| wrong());
    }
    let position = text.trim_start_matches('p').parse().map(Position).map_err(|_| wrong())?;
    version_at(app, caller.tenant, run, position, newest).await
}

pub async fn get(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    let id: EventId = ask.id(1, "event")?;
    run_exists(&app, &caller, run).await?;
    let mut at = Version(0);
    loop {
        let page = app.log.read_stream(caller.tenant, run.into(), at, PAGE).await?;
        if let Some(event) = page.iter().find(|event| event.event_id == id) {
            let body = EventText::try_from(event.as_ref()).map_err(|error| Problem::internal(&error))?;
            return Ok(serve::json(StatusCode::OK, &body));
        }
        match page.last() {
            Some(last) => at = last.version,
            None => return Err(Problem::not_found("event")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_bytes_that_were_hashed() {
        let ulid = "01M8K6KMGZKZTD72GDSR0ZGTQC";
        let data = r#"{"b":1e+21,"\u00e4":[0.000001,1]}"#;
        let event = format!(
            r#"{{"position":1,"version":1,"eventId":"ev_{ulid}","type":"run:queued","schemaVersion":1,"tenantId":"tenant_{ulid}",
                "streamId":"run_{ulid}","actor":"system","commandId":"{zero}","correlationId":"corr_{ulid}","causationId":null,
                "recordedAtMicros":1,"recordedAt":"","data":{data},"metadata":{{}},"previousHash":"{zero}","hash":"{zero}"}}"#,
            zero = "0".repeat(64)
        );
        let events = vec![serde_json::from_str(&event).unwrap()];
        let page = Page { events, has_more: false, next_cursor: None, version: Version(1), position: Position(1) };
        assert!(serde_json::to_string(&page).unwrap().contains(data));
    }
}
