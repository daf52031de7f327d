//! `GET /api/pipelines/{runId}/events`: the events of a run as they are in the log, with their hashes.

use std::sync::Arc;

use http::StatusCode;
use luci_config::{Role, history_reads};
use luci_schema::{Position, Recorded, RunId, StreamId, Version, history::EventText};
use serde::Serialize;

use crate::{
    App, caller::Caller, problem::Problem, reads::run_exists, reply, request::Request, routes::HandlerResult,
    run_version::version_at,
};

/// Events read from the log at once.
const PAGE: usize = 500;
/// Events read for one response, at most: a filter that matches few ends the page early.
const MAX_SCANNED: usize = 10_000;

/// Serialised directly: a `Value` in between would format numbers differently, so that the bytes were not those hashed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    events: Vec<EventText<'a>>,
    has_more: bool,
    next_cursor: Option<String>,
    version: Version,
    position: Position,
}

/// Which events of a run to list.
struct EventFilter {
    /// `block:completed`, or `block:*` for a group. Empty means all.
    types: Vec<String>,
    failed: bool,
}

impl EventFilter {
    fn parse(request: &Request) -> Result<Self, Problem> {
        let failed = match request.query("failed").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Problem::invalid("failed", "true or false")),
        };
        Ok(Self { types: request.query_all("type"), failed })
    }

    /// Whether a page may read many more events than it lists.
    fn selects(&self) -> bool {
        self.failed || !self.types.is_empty()
    }

    fn matches(&self, event: &Recorded) -> bool {
        let is_type = |name: &String| match name.strip_suffix('*') {
            Some(prefix) => event.event_type.starts_with(prefix),
            None => event.event_type == *name,
        };
        (self.types.is_empty() || self.types.iter().any(is_type))
            && (!self.failed || event.event_type.ends_with(":failed"))
    }
}

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let run: RunId = request.id(0, "run")?;
    let newest = run_exists(&app, &caller, run).await?;
    page(&app, &caller, &request, (run.into(), newest)).await
}

/// A page of a stream that has this version. What an auditor reads is recorded, once for all of its pages.
pub async fn page(
    app: &App,
    caller: &Caller,
    request: &Request,
    (stream, newest): (StreamId, Version),
) -> HandlerResult {
    let (filter, limit) = (EventFilter::parse(request)?, request.limit(100, 500)? as usize);
    let mut at = start(app, caller, stream, request, newest).await?;
    if caller.role == Role::Auditor && at == Version(0) {
        let mut c = app.engine_pool.acquire().await?;
        history_reads::add(&mut c, caller.tenant, caller.actor, stream, "events").await?;
    }
    let _turn = match filter.selects() {
        true => Some(app.heavy_reads.begin(caller.tenant).await?),
        false => None,
    };
    let (mut found, mut scanned, mut more) = (Vec::new(), 0, true);
    while more && found.len() < limit && scanned < MAX_SCANNED {
        let page = app.log.read_stream(caller.tenant, stream, at, PAGE.min(limit.max(50))).await?;
        more = !page.is_empty();
        for event in page {
            if found.len() == limit {
                break;
            }
            at = event.version;
            scanned += 1;
            if filter.matches(&event) {
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
    Ok(reply::json(StatusCode::OK, &body))
}

/// The version after which the page starts: `after=90210` is a position, `after=v143` and `cursor` are versions of the run.
async fn start(
    app: &App,
    caller: &Caller,
    stream: StreamId,
    request: &Request,
    newest: Version,
) -> Result<Version, Problem> {
    let Some(text) = request.query("cursor").or_else(|| request.query("after")) else { return Ok(Version(0)) };
    let invalid = || Problem::invalid("after", "a position (`90210`) or a version of the run (`v143`)");
    if let Some(version) = text.strip_prefix('v') {
        return version.parse().map(Version).map_err(|_| invalid());
    }
    let position = text.trim_start_matches('p').parse().map(Position).map_err(|_| invalid())?;
    version_at(app, caller.tenant, stream, position, newest).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_contains_the_bytes_that_were_hashed() {
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
