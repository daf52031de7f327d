//! The statuses of runs and blocks, and their texts in tables and answers.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Text that is not a valid status of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a {kind} status ({expected})")]
pub struct UnknownStatus {
    pub kind: &'static str,
    pub found: String,
    pub expected: String,
}

macro_rules! statuses {
    ($(#[$doc:meta])* $name:ident, $kind:literal { $($(#[$case:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$case])* #[serde(rename = $text)] $variant),* }

        impl $name {
            pub const ALL: [Self; [$($text),*].len()] = [$(Self::$variant),*];
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $text),* } }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }
        impl FromStr for $name {
            type Err = UnknownStatus;
            fn from_str(text: &str) -> Result<Self, UnknownStatus> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(UnknownStatus { kind: $kind, found: text.chars().take(24).collect(), expected: [$($text),*].join(", ") }),
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
        /// Queued, and not started.
        Pending = "pending",
        Running = "running",
        Completed = "completed",
        Failed = "failed",
        Skipped = "skipped",
        Cancelled = "cancelled",
    }
}

impl BlockStatus {
    /// It changes only by a retry or a skip from now on.
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
    fn texts_parse_back() {
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
