//! Tolerant reading of providers' JSON: a field that is missing, null or of another type is absent, not an error.

use luci_leads::PhoneKind;
use serde_json::Value;

/// The first of `names` that is text and not blank; numbers count as text.
pub fn text(value: &Value, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| match value.get(name)? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    })
}

/// A count or amount, also as a float or as text; fractions are cut off.
pub fn number(value: &Value, name: &str) -> Option<u64> {
    match value.get(name)? {
        Value::Number(n) => n.as_u64().or_else(|| n.as_f64().filter(|f| *f >= 0.0 && *f < 1e18).map(|f| f as u64)),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

pub fn flag(value: &Value, names: &[&str]) -> Option<bool> {
    names.iter().find_map(|name| value.get(name)?.as_bool())
}

/// The first of `names` that is a list and not empty.
pub fn list<'a>(value: &'a Value, names: &[&str]) -> &'a [Value] {
    names.iter().find_map(|name| value.get(name)?.as_array().filter(|list| !list.is_empty())).map_or(&[], Vec::as_slice)
}

/// The texts of a list whose entries are texts, or objects with a text under one of `names`.
pub fn texts(entries: &[Value], names: &[&str]) -> Vec<String> {
    entries
        .iter()
        .filter_map(|entry| entry.as_str().map(|t| t.trim().to_owned()).or_else(|| text(entry, names)))
        .collect()
}

pub fn phone_kind(kind: Option<&str>) -> PhoneKind {
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    let has = |part: &str| kind.contains(part);
    if has("voip") {
        PhoneKind::Voip
    } else if has("mobile") || has("cell") || has("wireless") {
        PhoneKind::Mobile
    } else if has("land") || has("fixed") || has("residential") {
        PhoneKind::Landline
    } else {
        PhoneKind::Unknown
    }
}
