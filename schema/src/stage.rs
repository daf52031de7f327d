//! The seven stages, in pipeline order.

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

    /// The type of this stage's output artifact.
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

/// How many blocks of a stage may be in flight in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockOrder {
    /// One by one: each block continues where the previous one ended.
    Sequential,
    /// One by one, and not while a failed block waits for its automatic retry.
    SequentialWithRetries,
    Parallel,
}

impl Stage {
    pub const fn block_order(self) -> BlockOrder {
        match self {
            Self::Import => BlockOrder::Sequential,
            Self::Validate => BlockOrder::SequentialWithRetries,
            Self::Enrich | Self::SkipTrace | Self::Score | Self::Assign | Self::Push => BlockOrder::Parallel,
        }
    }

    /// `import, validate, …`: for messages.
    pub fn names() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a stage ({names})", names = Stage::names())]
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
