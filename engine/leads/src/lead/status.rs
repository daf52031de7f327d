//! The sales status of a lead. It only moves forwards, and `dnc` is final.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadStatus {
    New,
    Contacted,
    Qualified,
    Converted,
    /// Do not contact.
    Dnc,
}

impl LeadStatus {
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

    /// Forwards by one step or more, or to `dnc`; never from `dnc`.
    pub fn can_become(self, to: Self) -> bool {
        self != Self::Dnc && self < to
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a status of a lead (new, contacted, qualified, converted, dnc)")]
pub struct UnknownStatus(pub String);

impl FromStr for LeadStatus {
    type Err = UnknownStatus;
    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| UnknownStatus(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_moves_forwards_and_dnc_is_final() {
        for from in LeadStatus::ALL {
            assert_eq!(from.can_become(LeadStatus::Dnc), from != LeadStatus::Dnc);
            assert!(!LeadStatus::Dnc.can_become(from) && !from.can_become(from) && !from.can_become(LeadStatus::New));
            assert_eq!(from.as_str().parse(), Ok(from));
        }
        assert!(
            LeadStatus::New.can_become(LeadStatus::Qualified)
                && !LeadStatus::Qualified.can_become(LeadStatus::Contacted)
        );
        assert!("hot".parse::<LeadStatus>().is_err());
    }
}
