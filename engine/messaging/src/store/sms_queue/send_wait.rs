//! Why a queued message is not sent yet.

use luci_schema::Micros;
use serde::Serialize;

use crate::store::{remaining_quota::RemainingQuota, sms_queue::send_times::SendTimes};

/// The first reason that applies, and until when it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SendWait {
    pub reason: SendWaitReason,
    /// RFC 3339; none: until a person acts.
    pub until: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SendWaitReason {
    /// A person must approve it.
    Approval,
    /// The recipient sent a possible opt-out: a person must release or suppress the number.
    Hold,
    /// The tenant has no carrier for text messages.
    NoCarrier,
    /// The tenant has no usable number at its carriers.
    NoNumber,
    /// The provider refused it; it is sent again later.
    Retry,
    SendWindow,
    DailyLimit,
    HourlyLimit,
}

/// The reasons that apply to all messages of a tenant.
pub struct TenantWait {
    /// What a person must set up first.
    pub setup: Option<SendWaitReason>,
    pub remaining: RemainingQuota,
}

impl TenantWait {
    /// Reasons that need a person come before those that pass with time. None: the message is sent next.
    pub fn of(&self, SendTimes { due, opens, on_hold, now }: SendTimes) -> Option<SendWait> {
        let wait = |reason, until: Option<Micros>| Some(SendWait { reason, until: until.map(Micros::rfc3339) });
        if on_hold {
            return wait(SendWaitReason::Hold, None);
        }
        if let Some(reason) = self.setup {
            return wait(reason, None);
        }
        if due > now {
            return wait(SendWaitReason::Retry, Some(due));
        }
        if opens.is_none_or(|opens| opens > now) {
            return wait(SendWaitReason::SendWindow, opens);
        }
        if self.remaining.today == 0 {
            return wait(SendWaitReason::DailyLimit, self.remaining.day_ends);
        }
        if self.remaining.this_hour == 0 {
            return wait(SendWaitReason::HourlyLimit, self.remaining.hour_frees);
        }
        None
    }
}
