//! GET /api/pipelines/{runId}/events and …/{eventId}: the run's history as it is in the log, hashes included.

use std::sync::Arc;

use http::StatusCode;
use luci_schema::{EventId, Position, Recorded, RunId, Version};
use serde::Serialize;
use serde_json::{json, value::RawValue};

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

/// An event as S5 shows it. `data` and `metadata` are the bytes that were hashed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventAnswer<'a> {
    position: Position,
    version: Version,
    event_id: EventId,
    #[serde(rename = "type")]
    kind: &'a str,
    schema_version: u16,
    tenant_id: String,
    stream_id: String,
    actor: String,
    command_id: &'a str,
    correlation_id: String,
    causation_id: Option<String>,
    recorded_at_micros: i64,
    recorded_at: String,
    data: &'a RawValue,
    metadata: &'a RawValue,
    previous_hash: String,
    hash: String,
}

impl<'a> TryFrom<&'a Recorded> for EventAnswer<'a> {
    type Error = serde_json::Error;
    fn try_from(event: &'a Recorded) -> Result<Self, Self::Error> {
        Ok(Self {
            position: event.position,
            version: event.version,
            event_id: event.event_id,
            kind: &event.event_type,
            schema_version: event.schema_version,
            tenant_id: event.tenant_id.to_string(),
            stream_id: event.stream_id.to_string(),
            actor: event.actor.to_string(),
            command_id: event.command_id.as_str(),
            correlation_id: event.correlation_id.to_string(),
            causation_id: event.causation_id.map(|id| id.to_string()),
            recorded_at_micros: event.recorded_at.0,
            recorded_at: event.recorded_at.rfc3339(),
            data: serde_json::from_str(&event.data)?,
            metadata: serde_json::from_str(&event.metadata)?,
            previous_hash: hex::encode(event.previous_hash),
            hash: hex::encode(event.hash),
        })
    }
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
    let events = found.iter().map(|event| EventAnswer::try_from(event.as_ref())).collect::<Result<Vec<_>, _>>();
    let events = events.map_err(|error| Problem::internal(&error))?;
    let next = (at < newest).then(|| format!("v{at}"));
    let position = app.log.head();
    let body = json!({"events": events, "hasMore": next.is_some(), "nextCursor": next, "version": newest,
        "position": position});
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
            let body = EventAnswer::try_from(event.as_ref()).map_err(|error| Problem::internal(&error))?;
            return Ok(serve::json(StatusCode::OK, &body));
        }
        match page.last() {
            Some(last) => at = last.version,
            None => return Err(Problem::not_found("event")),
        }
    }
}
