//! Reads the definition of an automation from the body of a request.

use luci_schema::{BlueprintId, Hash, event::AutomationSpec};
use luci_stages::start;
use serde_json::{Value, json};

use crate::{App, caller::Caller, json_body, problem::Problem, request::Request};

/// The definition and the digest of the body. `blueprintId` defaults to the system blueprint; an unknown field is a 422.
pub async fn spec(app: &App, caller: &Caller, request: &mut Request) -> Result<(AutomationSpec, Hash), Problem> {
    let (mut body, digest) = request.json::<Value>().await?;
    let fields = body.as_object_mut().ok_or_else(|| Problem::invalid("body", "an object"))?;
    if fields.get("blueprintId").is_none_or(Value::is_null) {
        let mut c = app.engine_pool.acquire().await?;
        let default: BlueprintId = start::blueprint(&mut c, caller.tenant, None).await?.blueprint_id;
        fields.insert("blueprintId".into(), json!(default));
    }
    let spec: AutomationSpec =
        json_body::from_value(&body).map_err(|error| Problem::invalid("body", error.to_string()))?;
    let kept = serde_json::to_value(&spec).map_err(|error| Problem::internal(&error))?;
    match unknown_field("", &body, &kept) {
        Some(field) => Err(Problem::invalid(&field, "is not a known field")),
        None => Ok((spec, digest)),
    }
}

/// The path of the first field of `body` that `kept` does not have. `kept` may omit empty fields.
fn unknown_field(path: &str, body: &Value, kept: &Value) -> Option<String> {
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (body, kept) {
        (Value::Object(body), Value::Object(kept)) => body.iter().find_map(|(name, value)| match kept.get(name) {
            Some(kept) => unknown_field(&at(name), value, kept),
            None if value.is_null() || value.as_array().is_some_and(Vec::is_empty) => None,
            None => Some(at(name)),
        }),
        (Value::Array(body), Value::Array(kept)) => {
            let pairs = body.iter().zip(kept).enumerate();
            pairs.into_iter().find_map(|(n, (body, kept))| unknown_field(&format!("{path}[{n}]"), body, kept))
        }
        _ => None,
    }
}
