//! The states of a queued text message, as table `sms_queue` and the API name them.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageStatus {
    /// Waits for approval.
    Draft,
    /// Approved; pending as soon as the sender sees it.
    Approved,
    /// To be sent when its time comes.
    Pending,
    /// Claimed by a sender.
    Processing,
    Sent,
    Failed,
    Rejected,
    Cancelled,
}

impl MessageStatus {
    pub const ALL: [Self; 8] = [
        Self::Draft,
        Self::Approved,
        Self::Pending,
        Self::Processing,
        Self::Sent,
        Self::Failed,
        Self::Rejected,
        Self::Cancelled,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Approved => "approved",
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for MessageStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<MessageStatus> for Value {
    fn from(status: MessageStatus) -> Self {
        status.as_str().into()
    }
}

impl Serialize for MessageStatus {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a message status")]
pub struct UnknownMessageStatus(pub String);

impl FromStr for MessageStatus {
    type Err = UnknownMessageStatus;
    fn from_str(text: &str) -> Result<Self, UnknownMessageStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| UnknownMessageStatus(text.into()))
    }
}
