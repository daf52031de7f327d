//! The ten contexts of a campaign (why a lead is contacted), and the five that reports group them into.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a lead is contacted, as in settings and in tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignContext {
    #[default]
    Initial,
    Retarget,
    FollowUp,
    BookAppointment,
    ConfirmAppointment,
    Nurture,
    Ghost,
    Scheduled,
    Instant,
    Nudger,
}

impl CampaignContext {
    pub const ALL: [Self; 10] = [
        Self::Initial,
        Self::Retarget,
        Self::FollowUp,
        Self::BookAppointment,
        Self::ConfirmAppointment,
        Self::Nurture,
        Self::Ghost,
        Self::Scheduled,
        Self::Instant,
        Self::Nudger,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Retarget => "retarget",
            Self::FollowUp => "follow_up",
            Self::BookAppointment => "book_appointment",
            Self::ConfirmAppointment => "confirm_appointment",
            Self::Nurture => "nurture",
            Self::Ghost => "ghost",
            Self::Scheduled => "scheduled",
            Self::Instant => "instant",
            Self::Nudger => "nudger",
        }
    }

    /// The group: one of initial, retarget, follow_up, nurture, ghost.
    pub const fn normalised(self) -> Self {
        match self {
            Self::Initial | Self::Scheduled | Self::Instant => Self::Initial,
            Self::Retarget | Self::Nudger => Self::Retarget,
            Self::FollowUp | Self::BookAppointment | Self::ConfirmAppointment => Self::FollowUp,
            Self::Nurture => Self::Nurture,
            Self::Ghost => Self::Ghost,
        }
    }
}

impl fmt::Display for CampaignContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a context: expected initial, retarget, follow_up, book_appointment, …")]
pub struct UnknownContext(pub String);

impl FromStr for CampaignContext {
    type Err = UnknownContext;
    fn from_str(text: &str) -> Result<Self, UnknownContext> {
        Self::ALL.into_iter().find(|context| context.as_str() == text).ok_or_else(|| UnknownContext(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ten_contexts_normalise_to_five() {
        for context in CampaignContext::ALL {
            assert_eq!(context.as_str().parse(), Ok(context));
            assert_eq!(context.normalised().normalised(), context.normalised());
        }
        let five: std::collections::BTreeSet<_> =
            CampaignContext::ALL.into_iter().map(CampaignContext::normalised).collect();
        assert_eq!(five.len(), 5);
        assert_eq!(CampaignContext::Nudger.normalised(), CampaignContext::Retarget);
        assert_eq!(CampaignContext::ConfirmAppointment.normalised(), CampaignContext::FollowUp);
        assert!("deal".parse::<CampaignContext>().is_err());
    }
}
