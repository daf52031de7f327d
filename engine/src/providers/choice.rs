//! Which provider a stage asks: by `{"provider": …}` of its config, else the usual one.

use luci_schema::Stage;
use serde::Deserialize;
use serde_json::Value;

use super::{ProviderName, phones::PhoneSource};

/// Providers that can do a stage's work, the usual one first.
const fn able(stage: Stage) -> &'static [ProviderName] {
    match stage {
        Stage::Enrich => &[ProviderName::Apollo],
        Stage::SkipTrace => &[ProviderName::RealEstate, ProviderName::Tracerfy],
        Stage::Import | Stage::Validate | Stage::Score | Stage::Assign | Stage::Push => &[],
    }
}

/// The provider of a stage with this config. Fails with a sentence on one that cannot do its work.
pub fn of_stage(stage: Stage, config: &Value) -> Result<ProviderName, String> {
    let able = able(stage);
    let Some(usual) = able.first() else { return Err(format!("{stage} asks no provider")) };
    match config.get("provider") {
        None | Some(Value::Null) => Ok(*usual),
        Some(given) => {
            let named = given.as_str().and_then(|text| text.parse().ok()).filter(|name| able.contains(name));
            let names = || able.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" or ");
            named.ok_or_else(|| format!("{stage} asks {}, not {given}", names()))
        }
    }
}

/// Whether a stage's config names providers that can do what it asks of them, said in a sentence.
pub fn check_stage(stage: Stage, config: &Value) -> Result<(), String> {
    if config.get("provider").is_some() {
        of_stage(stage, config)?;
    }
    if stage == Stage::Enrich && config.get("mode").is_some() {
        return Err(format!("{stage} has no mode, skip_trace does"));
    }
    match config.get("verify") {
        None | Some(Value::Null) => Ok(()),
        Some(_) if stage != Stage::SkipTrace => Err(format!("{stage} verifies no numbers, skip_trace does")),
        Some(given) => {
            let named = PhoneSource::deserialize(given).map(drop);
            named.map_err(|_| format!("{stage} verifies with trestle, trestle_contact or twilio, not {given}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stage_asks_whom_it_is_told_to_and_can() {
        assert_eq!(of_stage(Stage::SkipTrace, &Value::Null), Ok(ProviderName::RealEstate));
        assert_eq!(of_stage(Stage::SkipTrace, &json!({"provider": "tracerfy"})), Ok(ProviderName::Tracerfy));
        assert_eq!(of_stage(Stage::Enrich, &json!({})), Ok(ProviderName::Apollo));
        for (stage, config) in [
            (Stage::Enrich, json!({"provider": "tracerfy"})),
            (Stage::SkipTrace, json!({"provider": "apollo"})),
            (Stage::SkipTrace, json!({"provider": 7})),
            (Stage::Score, json!({"provider": "apollo"})),
        ] {
            assert!(of_stage(stage, &config).is_err(), "{stage} {config}");
        }
        assert_eq!(check_stage(Stage::SkipTrace, &json!({"verify": "twilio"})), Ok(()));
        assert!(check_stage(Stage::SkipTrace, &json!({"verify": "apollo"})).is_err());
        assert!(check_stage(Stage::Enrich, &json!({"verify": "twilio"})).is_err());
        assert!(check_stage(Stage::Enrich, &json!({"mode": "webhook"})).is_err());
        let wrong = of_stage(Stage::SkipTrace, &json!({"provider": "equifax"})).unwrap_err();
        assert_eq!(wrong, "skip_trace asks realestate or tracerfy, not \"equifax\"");
    }
}
