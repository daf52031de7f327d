//! Whether conditions hold for the facts of a trigger. An absent fact satisfies only `neq`, `not` and `exists: false`.

use std::cmp::Ordering;

use luci_schema::event::{AutomationSpec, Condition, Operator, Trigger};
use serde_json::Value;

/// Whether the trigger's conditions and the automation's all hold.
pub fn both_hold(spec: &AutomationSpec, facts: &Value) -> bool {
    of_trigger(&spec.trigger).iter().chain(&spec.conditions).all(|condition| holds(condition, facts))
}

pub fn of_trigger(trigger: &Trigger) -> &[Condition] {
    match trigger {
        Trigger::LeadCreated { conditions }
        | Trigger::MessageReceived { conditions }
        | Trigger::Webhook { conditions }
        | Trigger::Schedule { conditions, .. } => conditions,
    }
}

/// Whether any condition reads a fact below this name.
pub fn reads(spec: &AutomationSpec, name: &str) -> bool {
    fn one(condition: &Condition, name: &str) -> bool {
        match condition {
            Condition::And { and: list } | Condition::Or { or: list } => list.iter().any(|inner| one(inner, name)),
            Condition::Not { not } => one(not, name),
            Condition::Compare { field, .. } => field.split('.').next() == Some(name),
        }
    }
    of_trigger(&spec.trigger).iter().chain(&spec.conditions).any(|condition| one(condition, name))
}

pub fn holds(condition: &Condition, facts: &Value) -> bool {
    match condition {
        Condition::And { and } => and.iter().all(|one| holds(one, facts)),
        Condition::Or { or } => or.iter().any(|one| holds(one, facts)),
        Condition::Not { not } => !holds(not, facts),
        Condition::Compare { field, op, value } => compare(fact(facts, field), *op, value),
    }
}

fn fact<'a>(facts: &'a Value, field: &str) -> Option<&'a Value> {
    field.split('.').try_fold(facts, |at, name| at.get(name)).filter(|found| !found.is_null())
}

fn compare(fact: Option<&Value>, op: Operator, value: &Value) -> bool {
    let order = || fact.and_then(|fact| order(fact, value));
    let text = |test: fn(&str, &str) -> bool| match (fact.and_then(Value::as_str), value.as_str()) {
        (Some(fact), Some(value)) => test(fact, value),
        _ => false,
    };
    match op {
        Operator::Eq => fact == Some(value),
        Operator::Neq => fact != Some(value),
        Operator::Gt => order() == Some(Ordering::Greater),
        Operator::Gte => order().is_some_and(Ordering::is_ge),
        Operator::Lt => order() == Some(Ordering::Less),
        Operator::Lte => order().is_some_and(Ordering::is_le),
        Operator::In => fact.is_some_and(|fact| value.as_array().is_some_and(|list| list.contains(fact))),
        Operator::Contains => match fact {
            Some(Value::Array(list)) => list.contains(value),
            _ => text(|fact, value| fact.contains(value)),
        },
        Operator::StartsWith => text(|fact, value| fact.starts_with(value)),
        Operator::EndsWith => text(|fact, value| fact.ends_with(value)),
        Operator::Exists => fact.is_some() == value.as_bool().unwrap_or(true),
    }
}

/// Numbers with numbers, strings with strings; nothing else is ordered.
fn order(fact: &Value, value: &Value) -> Option<Ordering> {
    match (fact, value) {
        (Value::Number(fact), Value::Number(value)) => fact.as_f64()?.partial_cmp(&value.as_f64()?),
        (Value::String(fact), Value::String(value)) => Some(fact.cmp(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_operator_with_present_and_absent_facts() {
        let facts = json!({"leads": 25, "sector": {"slug": "ny-plumbers"}, "tags": ["hot", "new"], "none": null});
        let table = [
            ("leads", "eq", json!(25), true),
            ("leads", "eq", json!("25"), false),
            ("leads", "neq", json!(25), false),
            ("missing", "neq", json!(25), true),
            ("missing", "eq", json!(null), false),
            ("leads", "gt", json!(25), false),
            ("leads", "gte", json!(25), true),
            ("leads", "lt", json!(26), true),
            ("leads", "lte", json!(24), false),
            ("leads", "gt", json!("1"), false),
            ("missing", "lt", json!(1), false),
            ("sector.slug", "gt", json!("ny"), true),
            ("leads", "in", json!([1, 25]), true),
            ("leads", "in", json!([]), false),
            ("tags", "contains", json!("hot"), true),
            ("tags", "contains", json!("ho"), false),
            ("sector.slug", "contains", json!("plum"), true),
            ("sector.slug", "startsWith", json!("ny-"), true),
            ("sector.slug", "endsWith", json!("ny-"), false),
            ("sector.slug", "exists", json!(null), true),
            ("none", "exists", json!(true), false),
            ("sector.id", "exists", json!(false), true),
        ];
        for (field, op, value, expected) in table {
            let condition = json!({"field": field, "op": op, "value": value});
            let read: Condition = serde_json::from_value(condition.clone()).unwrap();
            assert_eq!(holds(&read, &facts), expected, "{condition}");
        }
    }

    #[test]
    fn and_or_not_and_both_sets() {
        let facts = json!({"leads": 25});
        let read = |value: Value| -> Condition { serde_json::from_value(value).unwrap() };
        let (yes, no) =
            (json!({"field": "leads", "op": "gt", "value": 1}), json!({"field": "leads", "op": "gt", "value": 99}));
        for (condition, expected) in [
            (json!({"and": [yes, no]}), false),
            (json!({"and": []}), true),
            (json!({"or": [yes, no]}), true),
            (json!({"or": []}), false),
            (json!({"not": no}), true),
            (json!({"and": [{"or": [no, {"not": no}]}, yes]}), true),
        ] {
            assert_eq!(holds(&read(condition.clone()), &facts), expected, "{condition}");
        }
        let spec = |own: &Value, triggers: &Value| -> AutomationSpec {
            serde_json::from_value(json!({
                "name": "a", "blueprintId": luci_schema::BlueprintId::from_ulid(ulid::Ulid(1)), "conditions": [own],
                "trigger": {"type": "lead_created", "conditions": [triggers]}
            }))
            .unwrap()
        };
        assert!(both_hold(&spec(&yes, &yes), &facts));
        let nested = json!({"or": [no, {"not": {"field": "payload.total", "op": "exists"}}]});
        assert!(reads(&spec(&yes, &nested), "payload") && reads(&spec(&nested, &yes), "payload"));
        assert!(reads(&spec(&yes, &no), "leads") && !reads(&spec(&yes, &no), "payload"));
        assert!(!both_hold(&spec(&no, &yes), &facts) && !both_hold(&spec(&yes, &no), &facts));
    }
}
