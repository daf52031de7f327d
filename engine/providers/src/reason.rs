//! Why a call gave no answer, as an enum. The texts are stored in events, artifacts and tables: never change one.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a call gave no answer.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum Reason {
            /// An HTTP status without a meaning of its own here: `http_404`.
            Http(HttpReason),
            $($(#[$doc])* $name,)*
            /// A reason that only another version knows.
            Other(String),
        }

        impl Reason {
            pub fn as_str(&self) -> &str {
                match self {
                    Self::Http(reason) => &reason.text,
                    $(Self::$name => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl From<String> for Reason {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$name,)*
                    _ => match text.strip_prefix("http_").and_then(|status| status.parse().ok()) {
                        Some(status) => Self::http(status),
                        None => Self::Other(text),
                    },
                }
            }
        }
    };
}

reasons! {
    AnswerTooLarge = "answer_too_large",
    /// The database failed before the call: asking without the stored answers could pay twice.
    AnswersUnreadable = "answers_unreadable",
    BadAnswer = "bad_answer",
    BadRequest = "bad_request",
    Connection = "connection",
    CredentialUnreadable = "credential_unreadable",
    /// The account's credits are used up.
    Credits = "credits",
    ItemError = "item_error",
    ItemRateLimit = "item_rate_limit",
    ItemRefused = "item_refused",
    ItemTimeout = "item_timeout",
    ItemWithoutKey = "item_without_key",
    /// One of LUCI's own limits is used up.
    Limit = "limit",
    LimitsUnreadable = "limits_unreadable",
    MissingAnswer = "missing_answer",
    NoAnswerByDeadline = "no_answer_by_deadline",
    NoPublicUrl = "no_public_url",
    NoRandomness = "no_randomness",
    /// The provider has no such capability.
    NotCapable = "not_capable",
    NotConfigured = "not_configured",
    NotRecorded = "not_recorded",
    /// The circuit breaker is open.
    ProviderDown = "provider_down",
    QueuePending = "queue_pending",
    Refused = "refused",
    Stopped = "stopped",
    /// An answer was paid for and stored, and cannot be decoded now. It is not bought again.
    StoredAnswerUnreadable = "stored_answer_unreadable",
    Timeout = "timeout",
}

/// A status and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReason {
    status: u16,
    text: String,
}

impl Reason {
    pub fn http(status: u16) -> Self {
        Self::Http(HttpReason { status, text: format!("http_{status}") })
    }

    pub const fn http_status(&self) -> Option<u16> {
        match self {
            Self::Http(reason) => Some(reason.status),
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_reason_is_read_back() {
        for (text, reason) in [
            ("bad_answer", Reason::BadAnswer),
            ("http_404", Reason::http(404)),
            ("credits", Reason::Credits),
            ("from_tomorrow", Reason::Other("from_tomorrow".into())),
        ] {
            assert_eq!(serde_json::to_value(&reason).unwrap(), text);
            assert_eq!(serde_json::from_value::<Reason>(text.into()).unwrap(), reason);
        }
        assert_eq!((Reason::http(404).http_status(), Reason::Timeout.http_status()), (Some(404), None));
    }
}
