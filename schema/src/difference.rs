//! Where two JSON values differ, field by field.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

/// One field that is not the same in both; null is also said of one that is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `options.blockSize`
    pub field: String,
    pub a: Value,
    pub b: Value,
}

/// Every difference, in the order of the fields' names. Objects are entered, lists are compared whole.
pub fn differences(a: &Value, b: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    differ(String::new(), a, b, &mut found);
    found
}

fn differ(field: String, a: &Value, b: &Value, found: &mut Vec<Difference>) {
    if a == b {
        return;
    }
    let (Value::Object(in_a), Value::Object(in_b)) = (a, b) else {
        found.push(Difference { field, a: a.clone(), b: b.clone() });
        return;
    };
    let names: BTreeSet<&String> = in_a.keys().chain(in_b.keys()).collect();
    for name in names {
        let within = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
        let of = |fields: &Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
        differ(within, &of(in_a), &of(in_b), found);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_field_is_told_by_its_path() {
        let a = json!({"run": {"status": "running", "tags": [1]}, "only": 1, "same": {"deep": true}});
        let b = json!({"run": {"status": "paused", "tags": [2]}, "same": {"deep": true}});
        let told = differences(&a, &b);
        let told: Vec<_> = told.iter().map(|d| (d.field.as_str(), d.a.to_string(), d.b.to_string())).collect();
        let told: Vec<_> = told.iter().map(|(field, a, b)| format!("{field} {a} {b}")).collect();
        assert_eq!(told, ["only 1 null", "run.status \"running\" \"paused\"", "run.tags [1] [2]"]);
    }
}
