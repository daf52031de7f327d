//! Faults as a command-line flag: `apollo:429=0.2,5xx=0.05,garbage=0.02,delay=50ms`.

use std::{str::FromStr, time::Duration};

use crate::{
    faults::{FaultSpec, Faults},
    providers::PROVIDERS,
};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    #[error("`{0}` is not a provider of the sandbox ({list}, or `all`)", list = names().join(", "))]
    Provider(String),
    #[error("`{0}` is not FAULT=RATE; write for example `apollo:429=0.2,5xx=0.05`")]
    Shape(String),
    #[error("`{0}` is not a fault (429, 5xx, garbage, timeout, partial; and delay, retry-after, hold, seed)")]
    Fault(String),
    #[error("{fault}: `{found}` is not {expected}")]
    Value { fault: &'static str, found: String, expected: &'static str },
    #[error("the rates add up to {0} per thousand calls; the sum must be at most 1")]
    Sum(u32),
}

fn names() -> Vec<&'static str> {
    PROVIDERS.iter().map(|provider| provider.name).collect()
}

const RATE: &str = "a rate from 0 to 1";
const DURATION: &str = "a duration like 50ms or 2s";

impl FromStr for FaultSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (provider, list) = text.split_once(':').ok_or_else(|| SpecError::Shape(text.into()))?;
        let provider = match provider.trim() {
            "all" => None,
            name => {
                let found = names().into_iter().find(|provider| *provider == name);
                Some(found.ok_or_else(|| SpecError::Provider(name.into()))?)
            }
        };
        let mut faults = Faults::default();
        for part in list.split(',') {
            let (name, value) = part.split_once('=').ok_or_else(|| SpecError::Shape(part.trim().into()))?;
            set(&mut faults, name.trim(), value.trim())?;
        }
        let sum: u32 = [faults.rate_limited, faults.unavailable, faults.garbage, faults.timeout, faults.partial]
            .into_iter()
            .map(u32::from)
            .sum();
        if sum > 1000 { Err(SpecError::Sum(sum)) } else { Ok(Self { provider, faults }) }
    }
}

fn set(faults: &mut Faults, name: &str, value: &str) -> Result<(), SpecError> {
    match name {
        "429" => faults.rate_limited = rate("429", value)?,
        "5xx" => faults.unavailable = rate("5xx", value)?,
        "garbage" => faults.garbage = rate("garbage", value)?,
        "timeout" => faults.timeout = rate("timeout", value)?,
        "partial" => faults.partial = rate("partial", value)?,
        "delay" => faults.delay = duration("delay", value)?,
        "hold" => faults.hold = duration("hold", value)?,
        "retry-after" => faults.retry_after = duration("retry-after", value)?.as_secs(),
        "seed" => {
            let expected = "a number";
            let invalid = |_| SpecError::Value { fault: "seed", found: value.into(), expected };
            faults.seed = value.parse().map_err(invalid)?;
        }
        _ => return Err(SpecError::Fault(name.into())),
    }
    Ok(())
}

/// In thousandths.
fn rate(fault: &'static str, value: &str) -> Result<u16, SpecError> {
    let rate: Option<f64> = value.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
    rate.map(|rate| (rate * 1000.0).round() as u16).ok_or(SpecError::Value {
        fault,
        found: value.into(),
        expected: RATE,
    })
}

fn duration(fault: &'static str, value: &str) -> Result<Duration, SpecError> {
    let invalid = || SpecError::Value { fault, found: value.into(), expected: DURATION };
    let (number, millis) = match value.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (value.strip_suffix('s').ok_or_else(invalid)?, 1_000),
    };
    let number: u64 = number.trim().parse().map_err(|_| invalid())?;
    Ok(Duration::from_millis(number.saturating_mul(millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_with_every_fault_is_parsed() {
        let text = "apollo:429=0.2, 5xx=0.05,garbage=0.02,delay=50ms,timeout=0.01,partial=0.1,retry-after=2s";
        let spec: FaultSpec = text.parse().unwrap();
        let faults = Faults {
            rate_limited: 200,
            unavailable: 50,
            garbage: 20,
            timeout: 10,
            partial: 100,
            delay: Duration::from_millis(50),
            retry_after: 2,
            ..Faults::default()
        };
        assert_eq!(spec, FaultSpec { provider: Some("apollo"), faults });
        assert_eq!("all:5xx=1".parse::<FaultSpec>().unwrap().provider, None);
    }

    #[test]
    fn an_invalid_spec_is_an_error_that_says_why() {
        let error = |text: &str| text.parse::<FaultSpec>().unwrap_err();
        assert_eq!(error("equifax:429=1"), SpecError::Provider("equifax".into()));
        assert_eq!(error("apollo"), SpecError::Shape("apollo".into()));
        assert_eq!(error("apollo:429"), SpecError::Shape("429".into()));
        assert_eq!(error("apollo:418=0.1"), SpecError::Fault("418".into()));
        for (text, fault, found) in [
            ("apollo:429=1.1", "429", "1.1"),
            ("apollo:5xx=-0.1", "5xx", "-0.1"),
            ("apollo:garbage=x", "garbage", "x"),
            ("apollo:timeout=NaN", "timeout", "NaN"),
        ] {
            assert_eq!(error(text), SpecError::Value { fault, found: found.into(), expected: RATE });
        }
        let found = "50".to_owned();
        assert_eq!(error("apollo:delay=50"), SpecError::Value { fault: "delay", found, expected: DURATION });
        assert_eq!(error("apollo:429=0.6,5xx=0.6"), SpecError::Sum(1200));
        assert!(error("equifax:429=1").to_string().contains("apollo, realestate"));
    }
}
