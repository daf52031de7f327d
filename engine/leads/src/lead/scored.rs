//! The score of a lead: its points by factor, and the flags that gate PUSH without changing the number.

use serde::{Deserialize, Serialize};

/// The result of SCORE for one lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scored {
    /// 0..=100
    pub score: u8,
    pub priority: Priority,
    /// Name and version: `fit/1`.
    pub profile: String,
    /// Points by factor, in the profile's order.
    pub breakdown: Vec<Points>,
    pub tags: Vec<String>,
    pub has_mobile: bool,
    /// All of its phone numbers are on a do-not-call list.
    pub dnc: bool,
    pub suppressed: bool,
    pub is_decision_maker: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Points {
    pub factor: String,
    pub points: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    High,
    Medium,
    Low,
}

impl Priority {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}
