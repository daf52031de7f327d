//! What is wrong with a definition, by field.

use luci_schema::event::{AutomationSpec, Condition, Operator, Trigger};
use serde_json::Value;

use super::{condition, schedule::Schedule};

/// Conditions in each other.
const DEEPEST: usize = 8;
/// Conditions of one automation.
const MOST: usize = 100;

/// Everything that is wrong; nothing when the automation can be kept.
pub fn wrong(spec: &AutomationSpec) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let mut say = |field: &str, reason: &str| wrong.push((field.to_owned(), reason.to_owned()));
    if spec.name.trim().is_empty() || spec.name.chars().count() > 200 {
        say("name", "1 to 200 characters");
    }
    if spec.max_leads == Some(0) {
        say("maxLeads", "1 or more");
    }
    if spec.budget_micros == Some(0) {
        say("budgetMicros", "1 or more");
    }
    if spec.sector_id.is_none() && !matches!(spec.trigger, Trigger::LeadCreated { .. }) {
        say("sectorId", "this trigger brings no leads: name the sector whose leads its runs read");
    }
    if let Trigger::Schedule { cron, time_zone, .. } = &spec.trigger {
        match Schedule::parse(cron, time_zone) {
            Err(bad) => say(&format!("trigger.{}", bad.field), &bad.reason),
            Ok(schedule) if schedule.next(luci_schema::Micros(0)).is_none() => {
                say("trigger.cron", "there is no such day");
            }
            Ok(_) => {}
        }
    }
    let mut count = 0;
    each("trigger.conditions", condition::of_trigger(&spec.trigger), 1, &mut count, &mut wrong);
    each("conditions", &spec.conditions, 1, &mut count, &mut wrong);
    if count > MOST {
        wrong.push(("conditions".into(), format!("at most {MOST}")));
    }
    wrong
}

fn each(path: &str, list: &[Condition], depth: usize, count: &mut usize, wrong: &mut Vec<(String, String)>) {
    for (n, one) in list.iter().enumerate() {
        of_one(&format!("{path}[{n}]"), one, depth, count, wrong);
    }
}

fn of_one(path: &str, one: &Condition, depth: usize, count: &mut usize, wrong: &mut Vec<(String, String)>) {
    *count += 1;
    if depth > DEEPEST {
        wrong.push((path.to_owned(), format!("at most {DEEPEST} in each other")));
        return;
    }
    match one {
        Condition::And { and } => each(&format!("{path}.and"), and, depth + 1, count, wrong),
        Condition::Or { or } => each(&format!("{path}.or"), or, depth + 1, count, wrong),
        Condition::Not { not } => of_one(&format!("{path}.not"), not, depth + 1, count, wrong),
        Condition::Compare { field, op, value } => {
            if field.is_empty() || field.len() > 200 {
                wrong.push((format!("{path}.field"), "1 to 200 characters".into()));
            }
            if let Some(expected) = misfit(*op, value) {
                wrong.push((format!("{path}.value"), expected.into()));
            }
        }
    }
}

/// What the operator wants instead of this value.
fn misfit(op: Operator, value: &Value) -> Option<&'static str> {
    let (fits, expected) = match op {
        Operator::Eq | Operator::Neq => {
            (value.is_i64() || value.is_string() || value.is_boolean(), "a text, a whole number, true or false")
        }
        Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte => {
            (value.is_i64() || value.is_string(), "a whole number or a text")
        }
        Operator::In => (
            value.as_array().is_some_and(|list| list.iter().all(|one| one.is_i64() || one.is_string())),
            "a list of texts or whole numbers",
        ),
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => (value.is_string(), "a text"),
        Operator::Exists => (value.is_boolean() || value.is_null(), "true or false"),
    };
    (!fits).then_some(expected)
}
