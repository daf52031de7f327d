//! Where a lead stands with the tenant: five words, of which `dnc` is final.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    New,
    Contacted,
    Qualified,
    Converted,
    /// Asked not to be contacted.
    Dnc,
}

impl Status {
    pub const ALL: [Self; 5] = [Self::New, Self::Contacted, Self::Qualified, Self::Converted, Self::Dnc];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Contacted => "contacted",
            Self::Qualified => "qualified",
            Self::Converted => "converted",
            Self::Dnc => "dnc",
        }
    }

    /// Forwards only, by one step or more; from anywhere to `dnc`, from there nowhere.
    pub fn can_become(self, to: Self) -> bool {
        self != Self::Dnc && self < to
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no status of a lead (new, contacted, qualified, converted, dnc)")]
pub struct UnknownStatus(pub String);

impl FromStr for Status {
    type Err = UnknownStatus;
    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| UnknownStatus(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_goes_forwards_and_dnc_is_final() {
        for from in Status::ALL {
            assert_eq!(from.can_become(Status::Dnc), from != Status::Dnc);
            assert!(!Status::Dnc.can_become(from) && !from.can_become(from) && !from.can_become(Status::New));
            assert_eq!(from.as_str().parse(), Ok(from));
        }
        assert!(Status::New.can_become(Status::Qualified) && !Status::Qualified.can_become(Status::Contacted));
        assert!("hot".parse::<Status>().is_err());
    }
}
