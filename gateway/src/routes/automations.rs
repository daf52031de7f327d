//! /api/automations: what starts runs by itself, made, changed, enabled, tried out, removed.

use std::sync::Arc;

use http::StatusCode;
use luci_engine::{
    admin::automations::{self, Turn},
    automation::{check, condition, schedule::Schedule},
    start,
};
use luci_schema::{AutomationId, BlueprintId, Hash, Micros, Version, event::AutomationSpec, event::Trigger};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    idempotency::{self, Begun},
    problem::Problem,
    serve,
};

/// Of its history, that is shown with it.
const RECENT: usize = 20;
/// Due times that a trial names.
const NEXT: usize = 5;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TestBody {
    /// What the trigger would say.
    #[serde(default)]
    facts: Value,
}

pub async fn list(app: Arc<App>, caller: Caller, _ask: Ask) -> Answer {
    let mut c = app.engine_pool.acquire().await?;
    let automations = automations::list(&mut c, caller.tenant).await?;
    Ok(serve::json(StatusCode::OK, &json!({"automations": automations})))
}

/// One, with the newest of its history.
pub async fn get(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let automation = found(&app, &caller, &ask).await?;
    let stream = automation.automation_id.into();
    let head = app.log.stream_head(caller.tenant, stream).await?.map_or(0, |(version, _)| version.0);
    let after = Version(head.saturating_sub(RECENT as u64));
    let events = app.log.read_stream(caller.tenant, stream, after, RECENT).await?;
    let recent: Vec<Value> = events
        .iter()
        .rev()
        .map(|event| {
            let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
            json!({"type": event.event_type, "at": event.recorded_at.rfc3339(), "actor": event.actor, "data": data})
        })
        .collect();
    Ok(serve::json(StatusCode::OK, &json!({"automation": automation, "recent": recent})))
}

async fn found(app: &App, caller: &Caller, ask: &Ask) -> Result<automations::Automation, Problem> {
    let id: AutomationId = ask.id(0, "automation")?;
    let mut c = app.engine_pool.acquire().await?;
    automations::get(&mut c, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("automation"))
}

/// Reads a definition; without `blueprintId` it is of the system blueprint. A word that means nothing is refused.
async fn spec(app: &App, caller: &Caller, ask: &mut Ask) -> Result<(AutomationSpec, Hash), Problem> {
    let (mut given, digest) = ask.json::<Value>().await?;
    let fields = given.as_object_mut().ok_or_else(|| Problem::invalid("body", "an object"))?;
    if fields.get("blueprintId").is_none_or(Value::is_null) {
        let mut c = app.engine_pool.acquire().await?;
        let usual: BlueprintId = start::blueprint(&mut c, caller.tenant, None).await?.blueprint_id;
        fields.insert("blueprintId".into(), json!(usual));
    }
    let spec = AutomationSpec::deserialize(&given).map_err(|error| Problem::invalid("body", error.to_string()))?;
    let kept = serde_json::to_value(&spec).map_err(|error| Problem::internal(&error))?;
    match unknown("", &given, &kept) {
        Some(field) => Err(Problem::invalid(&field, "there is no such field")),
        None => Ok((spec, digest)),
    }
}

/// The first field that was given and not kept. What is empty may be left out.
fn unknown(path: &str, given: &Value, kept: &Value) -> Option<String> {
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => given.iter().find_map(|(name, value)| match kept.get(name) {
            Some(kept) => unknown(&at(name), value, kept),
            None if value.is_null() || value.as_array().is_some_and(Vec::is_empty) => None,
            None => Some(at(name)),
        }),
        (Value::Array(given), Value::Array(kept)) => {
            let pairs = given.iter().zip(kept).enumerate();
            pairs.into_iter().find_map(|(n, (given, kept))| unknown(&format!("{path}[{n}]"), given, kept))
        }
        _ => None,
    }
}

pub async fn create(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (spec, digest) = spec(&app, &caller, &mut ask).await?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let outcome = |id: AutomationId| json!({"httpStatus": 201, "automationId": id, "status": "disabled"});
    let by = command.by(&caller);
    let mut tx = app.engine_pool.begin().await?;
    let receipt = |id| command.receipt(digest, &outcome(id));
    let (id, position) = automations::create(&mut tx, caller.tenant, &app.log, spec, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome(id), position))
}

pub async fn update(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let enabled = found(&app, &caller, &ask).await?.enabled;
    let (spec, digest) = spec(&app, &caller, &mut ask).await?;
    let status = if enabled { "enabled" } else { "disabled" };
    turn(app, caller, ask, Turn::Update(Box::new(spec)), status, digest).await
}

pub async fn enable(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    turn(app, caller, ask, Turn::Enable, "enabled", [0; 32]).await
}

pub async fn disable(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    turn(app, caller, ask, Turn::Disable, "disabled", [0; 32]).await
}

pub async fn remove(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    turn(app, caller, ask, Turn::Remove, "removed", [0; 32]).await
}

async fn turn(app: Arc<App>, caller: Caller, ask: Ask, turn: Turn, status: &str, digest: Hash) -> Answer {
    let id: AutomationId = ask.id(0, "automation")?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let outcome = json!({"automationId": id, "status": status});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let at = automations::turn(&mut tx, caller.tenant, &app.log, (id, turn), &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, at.unwrap_or_else(|| app.log.head())))
}

/// Tries it out on facts, and starts nothing.
pub async fn test(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let automation = found(&app, &caller, &ask).await?;
    let (body, _) = ask.json::<TestBody>().await?;
    let spec = &automation.spec;
    let all = |conditions: &[_]| conditions.iter().all(|one| condition::holds(one, &body.facts));
    let (trigger, own) = (all(condition::of_trigger(&spec.trigger)), all(&spec.conditions));
    let mut wrong: Vec<String> =
        check::wrong(spec).into_iter().map(|(field, reason)| format!("{field}: {reason}")).collect();
    let mut c = app.engine_pool.acquire().await?;
    if let Err(error) = start::blueprint(&mut c, caller.tenant, Some(spec.blueprint_id)).await {
        wrong.push(error.to_string());
    }
    let mut leads = Value::Null;
    if let Some(sector) = spec.sector_id {
        match start::leads_of(&mut c, caller.tenant, &start::Source::Sector(sector.to_string())).await {
            Ok(found) => leads = json!(found.total),
            Err(error) => wrong.push(error.to_string()),
        }
    }
    let answer = json!({
        "wouldStart": trigger && own && wrong.is_empty(), "triggerConditions": trigger, "conditions": own,
        "leads": leads, "wrong": wrong, "nextDue": next_due(&spec.trigger),
    });
    Ok(serve::json(StatusCode::OK, &answer))
}

fn next_due(trigger: &Trigger) -> Vec<String> {
    let Trigger::Schedule { cron, time_zone, .. } = trigger else { return Vec::new() };
    let Ok(schedule) = Schedule::parse(cron, time_zone) else { return Vec::new() };
    let dues = std::iter::successors(schedule.next(Micros::now()), |due| schedule.next(*due));
    dues.take(NEXT).map(Micros::rfc3339).collect()
}
