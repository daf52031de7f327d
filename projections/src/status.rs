//! The states of runs and blocks, as the words in tables and answers.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A word that is none of the states asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a {kind} status ({known})")]
pub struct UnknownStatus {
    pub kind: &'static str,
    pub found: String,
    pub known: String,
}

macro_rules! statuses {
    ($(#[$doc:meta])* $name:ident, $kind:literal { $($(#[$case:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$case])* #[serde(rename = $word)] $variant),* }

        impl $name {
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$variant),*];
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $word),* } }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }
        impl FromStr for $name {
            type Err = UnknownStatus;
            fn from_str(text: &str) -> Result<Self, UnknownStatus> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(UnknownStatus { kind: $kind, found: text.chars().take(24).collect(), known: [$($word),*].join(", ") }),
                }
            }
        }
    };
}

statuses! {
    RunStatus, "run" {
        Queued = "queued",
        Running = "running",
        Paused = "paused",
        Completed = "completed",
        Failed = "failed",
        Cancelled = "cancelled",
    }
}

statuses! {
    BlockStatus, "block" {
        /// Released, and not begun.
        Pending = "pending",
        Running = "running",
        Completed = "completed",
        Failed = "failed",
        Skipped = "skipped",
        Cancelled = "cancelled",
    }
}

impl BlockStatus {
    /// Nothing more happens to it unless somebody asks.
    pub const fn settled(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Skipped | Self::Cancelled => true,
            Self::Pending | Self::Running => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for status in RunStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        for status in BlockStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        let error = "gone".parse::<RunStatus>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`gone` is not a run status (queued, running, paused, completed, failed, cancelled)"
        );
    }
}
