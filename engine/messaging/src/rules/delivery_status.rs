//! What a provider reports of a message or call after it accepted it.

/// The state of an attempt that a report leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    Sent,
    Delivered,
    Failed,
    Undelivered,
}

impl DeliveryStatus {
    const ALL: [Self; 4] = [Self::Sent, Self::Delivered, Self::Failed, Self::Undelivered];

    /// The status that `attempt_logs.status` names like this.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// As `attempt_logs.status` names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Undelivered => "bounced",
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallResult {
    Completed,
    NoAnswer,
    Failed,
}

impl CallResult {
    const ALL: [Self; 3] = [Self::Completed, Self::NoAnswer, Self::Failed];

    /// The result that `dialer_queue.status` names like this.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == text)
    }

    /// As `dialer_queue.status` names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::NoAnswer => "no_answer",
            Self::Failed => "failed",
        }
    }

    pub const fn delivery(self) -> DeliveryStatus {
        match self {
            Self::Completed => DeliveryStatus::Delivered,
            Self::NoAnswer => DeliveryStatus::Undelivered,
            Self::Failed => DeliveryStatus::Failed,
        }
    }
}
