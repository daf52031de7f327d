//! Validates scoring profiles.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::score::profile::{Criterion, Factor, Profile};

const MAX_FACTORS: usize = 100;

/// The wrong field, and what was expected there.
pub type FieldError = (&'static str, String);

/// Parses factors one by one, so that the error names the wrong one.
pub fn factors(values: &[Value]) -> Result<Vec<Factor>, FieldError> {
    let parse = |(index, value): (usize, &Value)| {
        Factor::deserialize(value).map_err(|error| ("factors", format!("the {} one: {error}", nth(index))))
    };
    values.iter().enumerate().map(parse).collect()
}

/// Fails when a name, threshold or factor is invalid.
pub fn check(profile: &Profile) -> Result<(), FieldError> {
    if !valid_name(&profile.name) {
        return Err(("name", "1 to 63 characters of a-z, 0-9, `_` and `-`".into()));
    }
    if profile.high > 100 || profile.medium > profile.high {
        return Err(("high", format!("medium <= high <= 100, found {} and {}", profile.medium, profile.high)));
    }
    if !(1..=MAX_FACTORS).contains(&profile.factors.len()) {
        return Err(("factors", format!("1 to {MAX_FACTORS}, found {}", profile.factors.len())));
    }
    let mut names = BTreeSet::new();
    for (index, factor) in profile.factors.iter().enumerate() {
        let wrong = |why: &str| Err(("factors", format!("the {} one: {why}", nth(index))));
        if !valid_name(&factor.name) {
            return wrong("its name is 1 to 63 characters of a-z, 0-9, `_` and `-`");
        }
        if !names.insert(&factor.name) {
            return wrong("an earlier one has its name");
        }
        if !(1..=100).contains(&factor.points) {
            return wrong("1 to 100 points");
        }
        if !valid(&factor.test) {
            return wrong("prefixes are 1 to 4 digits; a range begins below its end");
        }
    }
    Ok(())
}

fn valid(criterion: &Criterion) -> bool {
    let digits = |text: &String| (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    match criterion {
        Criterion::SicPrefix { prefixes } => !prefixes.is_empty() && prefixes.iter().all(digits),
        Criterion::Revenue { from, to }
        | Criterion::Employees { from, to }
        | Criterion::YearsInBusiness { from, to } => to.is_none_or(|to| *from <= to),
        Criterion::OwnerIdentified
        | Criterion::MobilePhone
        | Criterion::Email
        | Criterion::Properties { .. }
        | Criterion::EquityAbove { .. } => true,
    }
}

fn valid_name(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.bytes().next().is_some_and(alphanumeric)
        && text.bytes().all(|b| alphanumeric(b) || matches!(b, b'_' | b'-'))
}

/// The ordinal of an index: 0 is `1st`, 1 is `2nd`.
fn nth(index: usize) -> String {
    let number = index + 1;
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
    fn the_default_is_valid_and_wrong_fields_are_named() {
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
        assert_eq!(broken(|p| p.factors[0].test = Criterion::SicPrefix { prefixes: vec!["x".into()] }), "factors");
        assert_eq!(broken(|p| p.factors[0].test = Criterion::Revenue { from: 2, to: Some(1) }), "factors");
        let wrong = factors(&[json!({"name": "a", "points": 1, "on": "email"}), json!({"name": "b", "on": "x"})]);
        assert!(wrong.expect_err("wrong").1.starts_with("the 2nd one"));
    }
}
