//! What a queued message waits for.

use luci_schema::Micros;
use serde::Serialize;

use super::times::Times;
use crate::book::sends::Room;

/// What holds a message up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    pub reason: Reason,
    /// RFC 3339; none: not by itself.
    pub until: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A person's yes.
    Approval,
    /// The tenant has no provider that carries messages.
    NoCarrier,
    /// The tenant has no number in use at its providers.
    NoNumber,
    /// It was refused before and is tried again.
    Retry,
    SendWindow,
    DailyLimit,
    HourlyLimit,
}

/// What holds all messages of a tenant alike.
pub struct Hold {
    /// What a person must mend first.
    pub person: Option<Reason>,
    pub room: Room,
}

impl Hold {
    /// What needs a person is told before what passes by itself. None: it is the message's turn.
    pub fn of(&self, Times { due, opens, now }: Times) -> Option<Waiting> {
        let until = |reason, until: Option<Micros>| Some(Waiting { reason, until: until.map(Micros::rfc3339) });
        if let Some(reason) = self.person {
            return until(reason, None);
        }
        if due > now {
            return until(Reason::Retry, Some(due));
        }
        if opens.is_none_or(|opens| opens > now) {
            return until(Reason::SendWindow, opens);
        }
        if self.room.today == 0 {
            return until(Reason::DailyLimit, self.room.day_ends);
        }
        if self.room.hour == 0 {
            return until(Reason::HourlyLimit, self.room.hour_frees);
        }
        None
    }
}
