//! The differences of two JSON values, field by field.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

/// One field that differs; an absent field is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `options.blockSize`
    pub field: String,
    pub a: Value,
    pub b: Value,
}

/// All differences, ordered by field name. Objects are compared field by field, arrays as a whole.
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
    fn a_difference_names_the_fields_path() {
        let a = json!({"run": {"status": "running", "tags": [1]}, "only": 1, "same": {"deep": true}});
        let b = json!({"run": {"status": "paused", "tags": [2]}, "same": {"deep": true}});
        let found: Vec<_> = differences(&a, &b).iter().map(|d| format!("{} {} {}", d.field, d.a, d.b)).collect();
        assert_eq!(found, ["only 1 null", "run.status \"running\" \"paused\"", "run.tags [1] [2]"]);
    }
}
