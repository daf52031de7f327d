//! The id of a queued send: a message's or a call's. Its attempt has the same ULID under the prefix `att_`.

use std::{fmt, str::FromStr};

use luci_schema::{AttemptId, CallId, IdError, MessageId};

use crate::rules::channel::Channel;

/// `msg_…` or `call_…`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SendId {
    Message(MessageId),
    Call(CallId),
}

impl SendId {
    pub const fn channel(self) -> Channel {
        match self {
            Self::Message(_) => Channel::Sms,
            Self::Call(_) => Channel::Call,
        }
    }

    pub const fn attempt_id(self) -> AttemptId {
        match self {
            Self::Message(id) => AttemptId::from_ulid(id.ulid()),
            Self::Call(id) => AttemptId::from_ulid(id.ulid()),
        }
    }
}

impl From<MessageId> for SendId {
    fn from(id: MessageId) -> Self {
        Self::Message(id)
    }
}

impl From<CallId> for SendId {
    fn from(id: CallId) -> Self {
        Self::Call(id)
    }
}

impl FromStr for SendId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(Self::Call).or_else(|_| text.parse().map(Self::Message))
    }
}

impl fmt::Display for SendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(id) => id.fmt(f),
            Self::Call(id) => id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_has_the_ulid_of_its_send() {
        let (message, call) = (MessageId::generate(), CallId::generate());
        let expected = |id: String| format!("att_{}", id.split_once('_').unwrap().1);
        assert_eq!(SendId::from(message).attempt_id().to_string(), expected(message.to_string()));
        assert_eq!(SendId::from(call).attempt_id().to_string(), expected(call.to_string()));
    }
}
