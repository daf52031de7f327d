//! A stage's settings as a blueprint holds them: JSON read into a type, errors named by the path of the setting.

use luci_providers::{Capability, ProviderName};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A setting that cannot be: which one, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}")]
pub struct BadSetting {
    /// `retarget.hours`; `config` for the object itself.
    pub field: String,
    pub expected: String,
}

impl BadSetting {
    pub fn new(field: &str, expected: impl Into<String>) -> Self {
        Self { field: field.into(), expected: expected.into() }
    }
}

/// `null` is all defaults; a setting that the type does not have is refused.
pub fn read<T: DeserializeOwned + Default>(config: &Value) -> Result<T, BadSetting> {
    match config {
        Value::Null => return Ok(T::default()),
        Value::Object(_) => {}
        _ => return Err(BadSetting::new("config", "an object")),
    }
    let mut track = serde_path_to_error::Track::new();
    let mut unknown: Option<String> = None;
    let mut note = |path: serde_ignored::Path<'_>| {
        unknown.get_or_insert_with(|| path.to_string());
    };
    let tracked = serde_path_to_error::Deserializer::new(config, &mut track);
    let read = T::deserialize(serde_ignored::Deserializer::new(tracked, &mut note));
    let read = read.map_err(|error| {
        let path = track.path().to_string();
        BadSetting { field: if path == "." { "config".into() } else { path }, expected: error.to_string() }
    })?;
    match unknown {
        Some(field) => Err(BadSetting { field, expected: "no setting of this name: the stage has none".into() }),
        None => Ok(read),
    }
}

/// The provider that the setting `provider` names, or the default.
pub fn provider(capability: Capability, name: Option<&str>) -> Result<ProviderName, BadSetting> {
    capability.choose(name).map_err(|capable| BadSetting::new("provider", capable.to_string()))
}

/// A stage without settings.
pub fn none(config: &Value) -> Result<(), BadSetting> {
    #[derive(Default, serde::Deserialize)]
    struct Nothing {}
    read::<Nothing>(config).map(drop)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Outer {
        inner: Inner,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Inner {
        hours: u32,
    }

    #[test]
    fn the_path_of_a_bad_setting_is_named() {
        let field = |config: Value| read::<Outer>(&config).expect_err("refused").field;
        assert_eq!(field(json!({"inner": {"hours": "ten"}})), "inner.hours");
        assert_eq!(field(json!({"inner": {"days": 1}})), "inner.days");
        assert_eq!(field(json!({"outer": 1})), "outer");
        assert_eq!(field(json!([])), "config");
        assert_eq!(read::<Outer>(&json!({"inner": {"hours": 10}})).expect("right").inner.hours, 10);
        assert_eq!(read::<Outer>(&Value::Null).expect("defaults").inner.hours, 0);
        assert_eq!(none(&json!({"x": 1})).expect_err("refused").field, "x");
        none(&json!({})).expect("nothing");
    }
}
