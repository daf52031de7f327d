//! Whether a lead that did not answer is tried once more, and as which attempt of its campaign (`domain.md` 1.2).

use luci_schema::Micros;
use serde::{Deserialize, Serialize};

/// When a silent lead is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Rules {
    /// Attempts without contact before the first retarget.
    pub threshold: u32,
    /// Retargets of one lead in one campaign; then it is left to nurture.
    pub max: u32,
    /// Hours since the last attempt.
    pub hours: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self { threshold: 3, max: 5, hours: 48 }
    }
}

/// What a campaign did with one lead over one channel so far, attempts of this run left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct History {
    /// The highest attempt number; 0 when there is none.
    pub last_number: u32,
    pub attempts: u32,
    pub retargets: u32,
    /// The lead answered or was spoken to.
    pub contacted: bool,
    pub last_at: Option<Micros>,
}

/// Why a lead is not retargeted. Each is a reason that counts are kept by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    ContactMade,
    BelowThreshold,
    /// As often as allowed: nurture.
    Nurture,
    TooSoon,
}

impl Kept {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ContactMade => "contact_made",
            Self::BelowThreshold => "retarget_not_due",
            Self::Nurture => "retargets_used_up",
            Self::TooSoon => "retarget_too_soon",
        }
    }
}

/// The attempt number of the next retarget.
pub fn next(history: History, rules: Rules, now: Micros) -> Result<u32, Kept> {
    let rested = |last: Micros| now >= last.plus_millis(i64::from(rules.hours) * 3_600_000);
    match history {
        History { contacted: true, .. } => Err(Kept::ContactMade),
        History { retargets, .. } if retargets >= rules.max => Err(Kept::Nurture),
        History { attempts, .. } if attempts < rules.threshold.max(1) => Err(Kept::BelowThreshold),
        History { last_at: Some(last), .. } if !rested(last) => Err(Kept::TooSoon),
        history => Ok(history.last_number + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_tried_again() {
        const HOUR: i64 = 3_600_000;
        let now = Micros(1_790_000_000_000_000);
        let ago = |hours: i64| Some(now.plus_millis(-hours * HOUR));
        let silent = History { last_number: 3, attempts: 3, retargets: 0, contacted: false, last_at: ago(48) };
        let rules = Rules::default();
        assert_eq!(next(silent, rules, now), Ok(4));
        assert_eq!(next(History { contacted: true, ..silent }, rules, now), Err(Kept::ContactMade));
        assert_eq!(next(History { attempts: 2, ..silent }, rules, now), Err(Kept::BelowThreshold));
        assert_eq!(next(History { last_at: ago(47), ..silent }, rules, now), Err(Kept::TooSoon));
        let late = History { last_number: 8, attempts: 8, retargets: 5, ..silent };
        assert_eq!(next(late, rules, now), Err(Kept::Nurture));
        assert_eq!(next(late, Rules { max: 6, ..rules }, now), Ok(9));
        // There is nothing to try again where nothing was tried.
        assert_eq!(next(History::default(), Rules { threshold: 0, ..rules }, now), Err(Kept::BelowThreshold));
    }
}
