//! The statuses of a run and the transitions between them.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    #[default]
    Queued,
    Running,
    Paused,
    Failed,
    Completed,
    Cancelled,
}

impl RunStatus {
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Paused, Self::Failed, Self::Completed, Self::Cancelled];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Failed => "failed",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Nothing happens without a command any more. A failed run can be retried, the other two are final.
    pub const fn ended(self) -> bool {
        matches!(self, Self::Failed | Self::Completed | Self::Cancelled)
    }

    /// Holds one of its tenant's slots. A paused run keeps its slot, a failed one releases it.
    pub const fn holds_slot(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }

    /// The transition table.
    pub const fn can_become(self, to: Self) -> bool {
        match self {
            Self::Queued => matches!(to, Self::Running | Self::Cancelled | Self::Failed),
            Self::Running => matches!(to, Self::Paused | Self::Completed | Self::Failed | Self::Cancelled),
            Self::Paused => matches!(to, Self::Running | Self::Cancelled | Self::Failed),
            Self::Failed => matches!(to, Self::Running | Self::Cancelled),
            Self::Completed | Self::Cancelled => false,
        }
    }
}
