//! The body of a bucket. Each field is checked by itself, and a wrong one is a 400, as it was.

use std::collections::HashSet;

use luci_leads::legacy::property_buckets::BucketChanges;
use luci_schema::SectorId;
use serde::Deserialize;
use serde_json::Value;

use super::{super::bad_fields, sector_id};
use crate::problem::Problem;

/// The size limit of the body, in bytes.
pub const BODY_BYTES: u64 = 4 << 20;
/// Property ids of one call at most.
const MAX_PROPERTIES: usize = 50_000;
/// Characters of a property id, a name and a description at most.
const ID_CHARS: usize = 100;
const NAME_CHARS: usize = 200;
const DESCRIPTION_CHARS: usize = 2_000;

/// As it is sent; other fields are ignored, as they were.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Body {
    id: Value,
    bucket_id: Value,
    name: Value,
    description: Value,
    filters: Value,
    property_ids: Value,
    signals: Value,
}

/// A body whose fields are right.
#[derive(Debug, Default)]
pub struct Checked {
    pub id: Option<SectorId>,
    pub changes: BucketChanges,
    /// Each once, in the order of the body.
    pub property_ids: Vec<String>,
}

impl Body {
    /// Checks the fields; 400 lists each wrong one. Absent and `null` are the same.
    pub fn check(self) -> Result<Checked, Problem> {
        let mut errors = Vec::new();
        let mut fail = |field: &str, expected: String| errors.push((field.to_owned(), expected));
        let mut text = |field: &str, value: Value, most: usize| match value {
            Value::Null => None,
            Value::String(text) if text.trim().chars().count() <= most => Some(text.trim().to_owned()),
            _ => {
                fail(field, format!("a text of at most {most} characters"));
                None
            }
        };
        let name = text("name", self.name, NAME_CHARS);
        let description = text("description", self.description, DESCRIPTION_CHARS);
        let id = text("id", if self.id.is_null() { self.bucket_id } else { self.id }, NAME_CHARS);
        if name.as_ref().is_some_and(String::is_empty) {
            fail("name", "a text that is not empty".to_owned());
        }
        if !matches!(self.filters, Value::Null | Value::Object(_)) {
            fail("filters", "an object".to_owned());
        }
        let property_ids = property_ids(self.property_ids).unwrap_or_else(|expected| {
            fail("propertyIds", expected);
            Vec::new()
        });
        if !errors.is_empty() {
            return Err(bad_fields(errors));
        }
        let given = |value: Value| Some(value).filter(|value| !value.is_null());
        let changes = BucketChanges { name, description, filters: given(self.filters), signals: given(self.signals) };
        Ok(Checked { id: id.map(|id| sector_id(&id)).transpose()?, changes, property_ids })
    }
}

fn property_ids(value: Value) -> Result<Vec<String>, String> {
    let list = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) if list.len() <= MAX_PROPERTIES => list,
        Value::Array(list) => return Err(format!("at most {MAX_PROPERTIES} ids, found {}", list.len())),
        _ => return Err("a list of ids".to_owned()),
    };
    let (mut seen, mut ids) = (HashSet::new(), Vec::with_capacity(list.len()));
    for (index, value) in list.into_iter().enumerate() {
        let id = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) if number.is_u64() => number.to_string(),
            _ => return Err(format!("texts or whole numbers; item {index} is neither")),
        };
        if !(1..=ID_CHARS).contains(&id.chars().count()) {
            return Err(format!("ids of 1 to {ID_CHARS} characters; item {index} has {}", id.chars().count()));
        }
        if seen.insert(id.clone()) {
            ids.push(id);
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(body: Value) -> Result<Checked, Problem> {
        serde_json::from_value::<Body>(body).expect("an object").check()
    }

    #[test]
    fn each_wrong_field_is_named() {
        let wrong = json!({"name": 7, "description": [], "filters": "x", "propertyIds": [1, null]});
        let problem = format!("{:?}", check(wrong).expect_err("wrong"));
        for field in ["name", "description", "filters", "propertyIds"] {
            assert!(problem.contains(field), "{field}: {problem}");
        }
        for ids in [json!("1"), json!([""]), json!([1.5]), json!(["x".repeat(101)])] {
            assert!(check(json!({"propertyIds": ids})).is_err());
        }
        assert_eq!(check(json!({"id": "b1"})).expect_err("no id").status(), 404);
    }

    #[test]
    fn an_id_counts_once_whether_it_is_a_text_or_a_number() {
        let checked = check(json!({"name": " A ", "propertyIds": [7, "7", "8 ", 9], "teamId": "t"})).expect("right");
        assert_eq!(checked.property_ids, ["7", "8", "9"]);
        assert_eq!(checked.changes.name.as_deref(), Some("A"));
    }
}
