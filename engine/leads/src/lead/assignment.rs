//! The sector that a lead is assigned to, and the rule that chose it.

use luci_schema::SectorId;
use serde::{Deserialize, Serialize};

/// The result of ASSIGN for one lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SectorAssignment {
    /// `None`: no sector fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector_id: Option<SectorId>,
    pub rule: AssignmentRule,
    /// 0..=100
    pub confidence: u8,
}

/// The rule that chose the sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssignmentRule {
    /// The run names the sector.
    Run,
    StateSic,
    NationSic,
    StatePrefix,
    NationPrefix,
    Unassigned,
}

impl AssignmentRule {
    /// 0..=100
    pub const fn confidence(self) -> u8 {
        match self {
            Self::Run | Self::StateSic => 100,
            Self::NationSic => 90,
            Self::StatePrefix => 70,
            Self::NationPrefix => 60,
            Self::Unassigned => 0,
        }
    }
}
