//! The `scoringProfile` setting of a SCORE stage: which profile the stage uses.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::score::{check::FieldError, profile::Profile};

/// The name of the setting.
pub const SETTING: &str = "scoringProfile";

/// A profile by name; the newest version when none is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileRef {
    pub name: String,
    #[serde(default)]
    pub version: Option<u32>,
}

impl fmt::Display for ProfileRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(f, "`{}` {version}", self.name),
            None => write!(f, "`{}`", self.name),
        }
    }
}

/// The setting as parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileSetting {
    /// No profile is named: the active one of the tenant is used.
    Unset,
    Named(ProfileRef),
    /// The profile itself.
    Inline(Box<Profile>),
}

/// Parses the setting.
pub fn parse(setting: &Value) -> Result<ProfileSetting, FieldError> {
    let wrong = |error: serde_json::Error| (SETTING, error.to_string());
    if setting.is_null() {
        return Ok(ProfileSetting::Unset);
    }
    if setting.get("factors").is_some() {
        return Profile::deserialize(setting).map(|profile| ProfileSetting::Inline(Box::new(profile))).map_err(wrong);
    }
    ProfileRef::deserialize(setting).map(ProfileSetting::Named).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_setting_is_a_name_or_a_whole_profile() {
        assert_eq!(parse(&Value::Null), Ok(ProfileSetting::Unset));
        let named = ProfileRef { name: "mine".into(), version: Some(2) };
        assert_eq!(parse(&json!({"name": "mine", "version": 2})), Ok(ProfileSetting::Named(named)));
        assert_eq!(parse(&json!(Profile::default())), Ok(ProfileSetting::Inline(Box::default())));
        assert_eq!(parse(&json!({"nmae": "mine"})).expect_err("wrong").0, SETTING);
    }
}
