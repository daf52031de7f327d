//! Takes a person out of a JSON document or a list of leads, and leaves everything else of it.

use luci_leads::Lead;
use luci_schema::LeadId;
use serde_json::{Value, json};

use super::person::Person;

/// What is left of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Left {
    /// The person is not in it.
    Same,
    Without(Vec<u8>),
    /// All of it is about the person.
    Nothing,
}

/// The texts and numbers of a document, which escapes do not hide.
pub(super) fn text_of(value: &Value) -> String {
    fn add(value: &Value, text: &mut String) {
        match value {
            Value::String(own) => text.push_str(own),
            Value::Number(number) => text.push_str(&number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| add(item, text)),
            Value::Object(fields) => fields.values().for_each(|field| add(field, text)),
            Value::Null | Value::Bool(_) => {}
        }
        text.push('\n');
    }
    let mut text = String::new();
    add(value, &mut text);
    text
}

/// A JSON document: the innermost items of lists that are about the person are left out.
pub(super) fn document(person: &Person, bytes: &[u8]) -> Left {
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else { return text(person, bytes) };
    if !person.is_in(&text_of(&value)) {
        return Left::Same;
    }
    if is_left(person, &mut value) { Left::Without(value.to_string().into_bytes()) } else { Left::Nothing }
}

/// Leaves the person's items out of all lists within; false when the person is still in the rest.
fn is_left(person: &Person, value: &mut Value) -> bool {
    match value {
        Value::Array(items) => {
            items.retain_mut(|item| !person.is_in(&text_of(item)) || is_left(person, item));
            return true;
        }
        Value::Object(fields) => {
            let lists: Vec<usize> = fields.values().filter_map(Value::as_array).map(Vec::len).collect();
            for field in fields.values_mut().filter(|field| field.is_array() || field.is_object()) {
                is_left(person, field);
            }
            // Lists of sectors say how many they are.
            let now: Vec<usize> = fields.values().filter_map(Value::as_array).map(Vec::len).collect();
            if let ([before], [after], Some(count)) = (&lists[..], &now[..], fields.get_mut("count"))
                && count.as_u64() == Some(*before as u64)
            {
                *count = json!(after);
            }
        }
        Value::String(_) | Value::Number(_) | Value::Null | Value::Bool(_) => {}
    }
    !person.is_in(&text_of(value))
}

/// What a document says of the person: the innermost items of its lists that are about the person, else all of it.
pub(super) fn about(person: &Person, value: &Value) -> Vec<Value> {
    if !person.is_in(&text_of(value)) {
        return Vec::new();
    }
    let within: Vec<Value> = match value {
        Value::Array(items) => return items.iter().flat_map(|item| about(person, item)).collect(),
        Value::Object(fields) => {
            fields.values().filter(|field| field.is_array()).flat_map(|list| about(person, list)).collect()
        }
        _ => Vec::new(),
    };
    // A lead's own list of numbers is part of the lead.
    let is_record = within.iter().all(|item| !item.is_object()) || value.get("leadId").is_some();
    if within.is_empty() || is_record { vec![value.clone()] } else { within }
}

/// Any other text: lines about the person are left out. What is not text is removed as a whole.
pub(super) fn text(person: &Person, bytes: &[u8]) -> Left {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return if person.is_in(&String::from_utf8_lossy(bytes)) { Left::Nothing } else { Left::Same };
    };
    if !person.is_in(text) {
        return Left::Same;
    }
    let kept: String = text.split_inclusive('\n').filter(|line| !person.is_in(line)).collect();
    if kept.is_empty() || person.is_in(&kept) { Left::Nothing } else { Left::Without(kept.into_bytes()) }
}

/// An artifact or a list of leads, one a line: a line about the person becomes a lead without data, so that every count and every
/// row number stays as it was recorded.
pub(super) fn lead_lines(person: &Person, bytes: &[u8]) -> Left {
    let (mut now, mut changed) = (Vec::with_capacity(bytes.len()), false);
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        match bare_line(person, line) {
            Some(bare) if bare.as_bytes() != line.trim_ascii_end() => {
                now.extend_from_slice(bare.as_bytes());
                now.push(b'\n');
                changed = true;
            }
            _ => now.extend_from_slice(line),
        }
    }
    if changed { Left::Without(now) } else { Left::Same }
}

/// What replaces a line about the person.
fn bare_line(person: &Person, line: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(line).ok()?;
    if !person.is_in(&text_of(&value)) {
        return None;
    }
    let failed = value.get("lead").filter(|lead| lead.is_object());
    let lead = failed.unwrap_or(&value);
    let number = |name: &str| lead[name].as_u64().unwrap_or(0);
    let id: LeadId = lead["leadId"].as_str()?.parse().ok()?;
    let bare = serde_json::to_string(&Lead::bare(id, number("row"), number("line"))).ok()?;
    if failed.is_none() {
        return Some(bare);
    }
    // The first field tells a failed lead: as `FailedLine` writes it, without the provider's message.
    let (code, reason) = (&value["code"], &value["reason"]);
    let (row, line) = (number("row"), number("line"));
    Some(format!(r#"{{"lead":{bare},"leadId":"{id}","row":{row},"line":{line},"code":{code},"reason":{reason}}}"#))
}

#[cfg(test)]
mod tests {
    use luci_leads::{lead::line, lead_id};

    use super::*;

    fn person() -> Person {
        let mut person = Person::default();
        person.phones.insert("+12125550142".into());
        person.emails.insert("ann@acme.co".into());
        person
    }

    fn left(left: Left) -> String {
        match left {
            Left::Without(bytes) => String::from_utf8(bytes).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_the_items_of_the_person_leave_a_document() {
        let list = br#"{"count":2,"leads":[{"phone":"+12125550142"},{"phone":"+12125550100"}]}"#;
        assert_eq!(left(document(&person(), list)), r#"{"count":1,"leads":[{"phone":"+12125550100"}]}"#);
        let nested = br#"[{"id":1,"people":[{"email":"ann@acme.co"},{"email":"b@c.co"}]}]"#;
        assert_eq!(left(document(&person(), nested)), r#"[{"id":1,"people":[{"email":"b@c.co"}]}]"#);
        assert_eq!(document(&person(), br#"{"text":"call\nann@acme.co"}"#), Left::Nothing);
        assert_eq!(document(&person(), br#"{"a":1}"#), Left::Same);
        assert_eq!(document(&person(), b"From=%2B12125550142&Body=x"), Left::Nothing);
        assert_eq!(left(text(&person(), b"a,b\nann@acme.co,x\nc,d\n")), "a,b\nc,d\n");
    }

    #[test]
    fn a_copy_has_nothing_of_others() {
        let events = json!([{"email": "ann@acme.co", "id": 1}, {"email": "b@c.co"}]);
        assert_eq!(about(&person(), &events), [json!({"email": "ann@acme.co", "id": 1})]);
        let list = json!({"leads": [{"leadId": "x", "phones": [{"number": "+12125550142"}]}, {"leadId": "y"}]});
        assert_eq!(about(&person(), &list), [json!({"leadId": "x", "phones": [{"number": "+12125550142"}]})]);
        assert_eq!(about(&person(), &json!({"id": 1})), Vec::<Value>::new());
    }

    #[test]
    fn a_line_keeps_its_place_and_nothing_else() {
        let id = lead_id("import_x", 3);
        let lead = format!(r#"{{"leadId":"{id}","row":3,"line":4,"email":"ann@acme.co"}}"#);
        let failed = format!(
            r#"{{"lead":{lead},"leadId":"{id}","row":3,"line":4,"code":"API_ERROR","reason":"http_400","detail":{{"providerMessage":"ann@acme.co"}}}}"#
        );
        let other = format!(r#"{{"leadId":"{}","row":4,"line":5,"email":"b@c.co"}}"#, lead_id("import_x", 4));
        let now = left(lead_lines(&person(), format!("{lead}\n{other}\n{failed}\n").as_bytes()));
        let lines: Vec<&str> = now.lines().collect();
        assert_eq!(lines[1], other);
        for line in [lines[0], lines[2]] {
            assert_eq!(line::read(line.as_bytes()).unwrap(), Lead::bare(id, 3, 4), "{line}");
        }
        let mut known = person();
        known.leads.insert(id);
        assert_eq!(lead_lines(&known, now.as_bytes()), Left::Same, "a second erasure finds nothing to do");
    }
}
