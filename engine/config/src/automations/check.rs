//! Errors of an automation's definition, by field.

use luci_schema::event::{AutomationSpec, Condition, Operator, Trigger};
use serde_json::Value;

use crate::automations::{condition, schedule::Schedule};

/// Nesting of conditions.
const MAX_DEPTH: usize = 8;
/// Conditions of one automation.
const MAX_CONDITIONS: usize = 100;

/// Field and reason of each error; empty when the definition is valid.
pub fn errors(spec: &AutomationSpec) -> Vec<(String, String)> {
    let mut errors = Vec::new();
    let mut error = |field: &str, reason: &str| errors.push((field.to_owned(), reason.to_owned()));
    if spec.name.trim().is_empty() || spec.name.chars().count() > 200 {
        error("name", "1 to 200 characters");
    }
    if spec.max_leads == Some(0) {
        error("maxLeads", "1 or more");
    }
    if spec.budget_micros == Some(0) {
        error("budgetMicros", "1 or more");
    }
    if spec.sector_id.is_none() && !matches!(spec.trigger, Trigger::LeadCreated { .. }) {
        error("sectorId", "required: this trigger brings no leads, so name the sector whose leads the runs read");
    }
    if let Trigger::Schedule { cron, time_zone, .. } = &spec.trigger {
        match Schedule::parse(cron, time_zone) {
            Err(bad) => error(&format!("trigger.{}", bad.field), &bad.reason),
            Ok(schedule) if schedule.next(luci_schema::Micros(0)).is_none() => {
                error("trigger.cron", "never due: there is no such day");
            }
            Ok(_) => {}
        }
    }
    let mut count = 0;
    each("trigger.conditions", condition::of_trigger(&spec.trigger), 1, &mut count, &mut errors);
    each("conditions", &spec.conditions, 1, &mut count, &mut errors);
    if count > MAX_CONDITIONS {
        errors.push(("conditions".into(), format!("at most {MAX_CONDITIONS}")));
    }
    errors
}

fn each(path: &str, list: &[Condition], depth: usize, count: &mut usize, errors: &mut Vec<(String, String)>) {
    for (n, one) in list.iter().enumerate() {
        of_one(&format!("{path}[{n}]"), one, depth, count, errors);
    }
}

fn of_one(path: &str, one: &Condition, depth: usize, count: &mut usize, errors: &mut Vec<(String, String)>) {
    *count += 1;
    if depth > MAX_DEPTH {
        errors.push((path.to_owned(), format!("nested at most {MAX_DEPTH} deep")));
        return;
    }
    match one {
        Condition::And { and } => each(&format!("{path}.and"), and, depth + 1, count, errors),
        Condition::Or { or } => each(&format!("{path}.or"), or, depth + 1, count, errors),
        Condition::Not { not } => of_one(&format!("{path}.not"), not, depth + 1, count, errors),
        Condition::Compare { field, op, value } => {
            if field.is_empty() || field.len() > 200 {
                errors.push((format!("{path}.field"), "1 to 200 characters".into()));
            }
            if let Some(expected) = expected_value(*op, value) {
                errors.push((format!("{path}.value"), expected.into()));
            }
        }
    }
}

/// What the operator expects, when the value is not that.
fn expected_value(op: Operator, value: &Value) -> Option<&'static str> {
    let (fits, expected) = match op {
        Operator::Eq | Operator::Neq => {
            (value.is_i64() || value.is_string() || value.is_boolean(), "a string, an integer, true or false")
        }
        Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte => {
            (value.is_i64() || value.is_string(), "an integer or a string")
        }
        Operator::In => (
            value.as_array().is_some_and(|list| list.iter().all(|one| one.is_i64() || one.is_string())),
            "a list of strings or integers",
        ),
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => (value.is_string(), "a string"),
        Operator::Exists => (value.is_boolean() || value.is_null(), "true or false"),
    };
    (!fits).then_some(expected)
}
