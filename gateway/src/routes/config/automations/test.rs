//! `POST /api/automations/{automationId}/test`: evaluates an automation on given facts and starts nothing.

use std::sync::Arc;

use http::StatusCode;
use luci_config::automations::{check, condition, schedule::Schedule};
use luci_schema::{Micros, event::Trigger};
use luci_stages::start;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{App, caller::Caller, reply, request::Request, routes::HandlerResult};

/// Due times in the response.
const DUE_TIMES: usize = 5;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TestBody {
    /// The facts of a trigger.
    #[serde(default)]
    facts: Value,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let automation = super::find(&app, &caller, &request).await?;
    let (body, _) = request.json::<TestBody>().await?;
    let spec = &automation.spec;
    let all = |conditions: &[_]| conditions.iter().all(|each| condition::holds(each, &body.facts));
    let (trigger, own) = (all(condition::of_trigger(&spec.trigger)), all(&spec.conditions));
    let mut errors: Vec<String> =
        check::errors(spec).into_iter().map(|(field, reason)| format!("{field}: {reason}")).collect();
    let mut c = app.engine_pool.acquire().await?;
    if let Err(error) = start::blueprint(&mut c, caller.tenant, Some(spec.blueprint_id)).await {
        errors.push(error.to_string());
    }
    let mut leads = Value::Null;
    if let Some(sector) = spec.sector_id {
        match start::leads_of(&mut c, caller.tenant, &start::LeadSource::Sector(sector.to_string())).await {
            Ok(found) => leads = json!(found.total),
            Err(error) => errors.push(error.to_string()),
        }
    }
    let result = json!({
        "wouldStart": trigger && own && errors.is_empty(), "triggerConditions": trigger, "conditions": own,
        "leads": leads, "wrong": errors, "nextDue": next_due(&spec.trigger),
    });
    Ok(reply::json(StatusCode::OK, &result))
}

fn next_due(trigger: &Trigger) -> Vec<String> {
    let Trigger::Schedule { cron, time_zone, .. } = trigger else { return Vec::new() };
    let Ok(schedule) = Schedule::parse(cron, time_zone) else { return Vec::new() };
    let dues = std::iter::successors(schedule.next(Micros::now()), |due| schedule.next(*due));
    dues.take(DUE_TIMES).map(Micros::rfc3339).collect()
}
