//! The seven stages, in the order in which leads pass them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Import,
    Validate,
    Enrich,
    SkipTrace,
    Score,
    Assign,
    Push,
}

impl Stage {
    pub const ALL: [Self; 7] =
        [Self::Import, Self::Validate, Self::Enrich, Self::SkipTrace, Self::Score, Self::Assign, Self::Push];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Validate => "validate",
            Self::Enrich => "enrich",
            Self::SkipTrace => "skip_trace",
            Self::Score => "score",
            Self::Assign => "assign",
            Self::Push => "push",
        }
    }

    /// The type of the artifact that this stage's successful leads are written to.
    pub const fn artifact_type(self) -> &'static str {
        match self {
            Self::Import => "parsed",
            Self::Validate => "validated",
            Self::Enrich => "enriched",
            Self::SkipTrace => "skip-traced",
            Self::Score => "scored",
            Self::Assign => "assigned",
            Self::Push => "pushed",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a stage (import, validate, enrich, skip_trace, score, assign, push)")]
pub struct UnknownStage(pub String);

impl FromStr for Stage {
    type Err = UnknownStage;
    /// Accepts the older names `parse`, `enrichment`, `apollo_enrich` and `push_sms` too.
    fn from_str(text: &str) -> Result<Self, UnknownStage> {
        match text {
            "parse" => Ok(Self::Validate),
            "enrichment" | "apollo_enrich" => Ok(Self::Enrich),
            "push_sms" => Ok(Self::Push),
            _ => Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| UnknownStage(text.into())),
        }
    }
}
