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
