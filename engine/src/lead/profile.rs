//! Whether a scoring profile makes sense, and which one a stage's settings choose.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::score::{Factor, Profile, Test};

/// The name of the setting of the SCORE stage.
pub const SETTING: &str = "scoringProfile";

const MOST_FACTORS: usize = 100;

/// The field that is wrong, and what was expected.
pub type Fault = (&'static str, String);

/// A profile by its name; without a version the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reference {
    pub name: String,
    #[serde(default)]
    pub version: Option<u32>,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(f, "`{}` {version}", self.name),
            None => write!(f, "`{}`", self.name),
        }
    }
}

/// What a SCORE stage says of its profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    Nothing,
    Named(Reference),
    /// A table of its own, in full.
    Own(Box<Profile>),
}

/// Reads the setting of a SCORE stage.
pub fn chosen(setting: &Value) -> Result<Chosen, Fault> {
    let wrong = |error: serde_json::Error| (SETTING, error.to_string());
    if setting.is_null() {
        return Ok(Chosen::Nothing);
    }
    if setting.get("factors").is_some() {
        return Profile::deserialize(setting).map(|own| Chosen::Own(Box::new(own))).map_err(wrong);
    }
    Reference::deserialize(setting).map(Chosen::Named).map_err(wrong)
}

/// Reads factors one by one, so that the one that is wrong can be named.
pub fn factors(values: &[Value]) -> Result<Vec<Factor>, Fault> {
    let one = |(at, value): (usize, &Value)| {
        Factor::deserialize(value).map_err(|error| ("factors", format!("the {} one: {error}", nth(at))))
    };
    values.iter().enumerate().map(one).collect()
}

/// Refuses a table by which nobody could be scored sensibly.
pub fn check(profile: &Profile) -> Result<(), Fault> {
    if !word(&profile.name) {
        return Err(("name", "1 to 63 characters of a-z, 0-9, `_` and `-`".into()));
    }
    if profile.high > 100 || profile.medium > profile.high {
        return Err(("high", format!("medium <= high <= 100, found {} and {}", profile.medium, profile.high)));
    }
    if !(1..=MOST_FACTORS).contains(&profile.factors.len()) {
        return Err(("factors", format!("1 to {MOST_FACTORS}, found {}", profile.factors.len())));
    }
    let mut names = BTreeSet::new();
    for (at, factor) in profile.factors.iter().enumerate() {
        let wrong = |why: &str| Err(("factors", format!("the {} one: {why}", nth(at))));
        if !word(&factor.name) {
            return wrong("its name is 1 to 63 characters of a-z, 0-9, `_` and `-`");
        }
        if !names.insert(&factor.name) {
            return wrong("an earlier one has its name");
        }
        if !(1..=100).contains(&factor.points) {
            return wrong("1 to 100 points");
        }
        if !sound(&factor.test) {
            return wrong("prefixes are 1 to 4 digits; a range begins below its end");
        }
    }
    Ok(())
}

fn sound(test: &Test) -> bool {
    let digits = |text: &String| (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    match test {
        Test::SicPrefix { prefixes } => !prefixes.is_empty() && prefixes.iter().all(digits),
        Test::Revenue { from, to } | Test::Employees { from, to } | Test::YearsInBusiness { from, to } => {
            to.is_none_or(|to| *from <= to)
        }
        Test::OwnerIdentified
        | Test::MobilePhone
        | Test::Email
        | Test::Properties { .. }
        | Test::EquityAbove { .. } => true,
    }
}

fn word(text: &str) -> bool {
    let sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.bytes().next().is_some_and(sound)
        && text.bytes().all(|b| sound(b) || matches!(b, b'_' | b'-'))
}

/// `1st`, `2nd` … of what stands at 0, 1 …
fn nth(at: usize) -> String {
    let number = at + 1;
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_default_is_sound_and_what_is_not_is_named() {
        assert_eq!(check(&Profile::default()), Ok(()));
        let broken = |change: fn(&mut Profile)| {
            let mut profile = Profile::default();
            change(&mut profile);
            check(&profile).expect_err("wrong").0
        };
        assert_eq!(broken(|p| p.name = "Fit!".into()), "name");
        assert_eq!(broken(|p| p.medium = 90), "high");
        assert_eq!(broken(|p| p.factors.clear()), "factors");
        assert_eq!(broken(|p| p.factors[1].name = p.factors[0].name.clone()), "factors");
        assert_eq!(broken(|p| p.factors[0].points = 0), "factors");
        assert_eq!(broken(|p| p.factors[0].test = Test::SicPrefix { prefixes: vec!["x".into()] }), "factors");
        assert_eq!(broken(|p| p.factors[0].test = Test::Revenue { from: 2, to: Some(1) }), "factors");
        let wrong = factors(&[json!({"name": "a", "points": 1, "on": "email"}), json!({"name": "b", "on": "x"})]);
        assert!(wrong.expect_err("wrong").1.starts_with("the 2nd one"));
    }

    #[test]
    fn settings_choose_by_name_or_in_full() {
        assert_eq!(chosen(&Value::Null), Ok(Chosen::Nothing));
        let named = Reference { name: "mine".into(), version: Some(2) };
        assert_eq!(chosen(&json!({"name": "mine", "version": 2})), Ok(Chosen::Named(named)));
        assert_eq!(chosen(&json!(Profile::default())), Ok(Chosen::Own(Box::default())));
        assert_eq!(chosen(&json!({"nmae": "mine"})).expect_err("wrong").0, SETTING);
    }
}
