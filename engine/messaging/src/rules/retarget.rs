//! Whether a lead that did not reply is contacted again, and with which attempt number.

use luci_schema::Micros;
use serde::{Deserialize, Serialize};

/// When a lead that did not reply is contacted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RetargetRules {
    /// Attempts without a reply before the first retarget.
    pub threshold: u32,
    /// Retargets of one lead in one campaign; after that the lead is left to nurture.
    pub max: u32,
    /// Least hours since the last attempt.
    pub hours: u32,
}

impl Default for RetargetRules {
    fn default() -> Self {
        Self { threshold: 3, max: 5, hours: 48 }
    }
}

/// A campaign's attempts at one lead over one channel so far, without those of this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CampaignHistory {
    /// The highest attempt number; 0 when there is none.
    pub last_number: u32,
    pub attempts: u32,
    pub retargets: u32,
    /// The lead replied or was reached by phone.
    pub contacted: bool,
    pub last_at: Option<Micros>,
}

/// Why a lead is not retargeted: a reason in the block's counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetargetSkip {
    ContactMade,
    BelowThreshold,
    /// All retargets are used up.
    Nurture,
    TooSoon,
}

impl RetargetSkip {
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
pub fn next_attempt(history: CampaignHistory, rules: RetargetRules, now: Micros) -> Result<u32, RetargetSkip> {
    let waited = |last: Micros| now >= last.plus_millis(i64::from(rules.hours) * 3_600_000);
    match history {
        CampaignHistory { contacted: true, .. } => Err(RetargetSkip::ContactMade),
        CampaignHistory { retargets, .. } if retargets >= rules.max => Err(RetargetSkip::Nurture),
        CampaignHistory { attempts, .. } if attempts < rules.threshold.max(1) => Err(RetargetSkip::BelowThreshold),
        CampaignHistory { last_at: Some(last), .. } if !waited(last) => Err(RetargetSkip::TooSoon),
        history => Ok(history.last_number + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_is_retargeted_within_the_rules() {
        const HOUR: i64 = 3_600_000;
        let now = Micros(1_790_000_000_000_000);
        let ago = |hours: i64| Some(now.plus_millis(-hours * HOUR));
        let silent = CampaignHistory { last_number: 3, attempts: 3, retargets: 0, contacted: false, last_at: ago(48) };
        let rules = RetargetRules::default();
        assert_eq!(next_attempt(silent, rules, now), Ok(4));
        assert_eq!(
            next_attempt(CampaignHistory { contacted: true, ..silent }, rules, now),
            Err(RetargetSkip::ContactMade)
        );
        assert_eq!(
            next_attempt(CampaignHistory { attempts: 2, ..silent }, rules, now),
            Err(RetargetSkip::BelowThreshold)
        );
        assert_eq!(
            next_attempt(CampaignHistory { last_at: ago(47), ..silent }, rules, now),
            Err(RetargetSkip::TooSoon)
        );
        let late = CampaignHistory { last_number: 8, attempts: 8, retargets: 5, ..silent };
        assert_eq!(next_attempt(late, rules, now), Err(RetargetSkip::Nurture));
        assert_eq!(next_attempt(late, RetargetRules { max: 6, ..rules }, now), Ok(9));
        // Without a first attempt there is no retarget.
        assert_eq!(
            next_attempt(CampaignHistory::default(), RetargetRules { threshold: 0, ..rules }, now),
            Err(RetargetSkip::BelowThreshold)
        );
    }
}
