//! Why a number or address is suppressed, who decided it, and what a person may lift.

use luci_schema::WebhookId;
use serde::{Deserialize, Serialize};

/// What is suppressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// E.164
    Phone,
    /// Lower case.
    Email,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Email => "email",
        }
    }
}

/// Why a number or address is suppressed. The first three are permanent, and so is `Erased`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    OptOut,
    LegalDnc,
    Litigator,
    Blacklist,
    WrongNumber,
    InvalidPhone,
    ComplianceHold,
    /// The person was erased: only a hash of number or address is stored. Made by an erasure, never by a call.
    #[serde(skip)]
    Erased,
}

impl Reason {
    pub const ALL: [Self; 8] = [
        Self::OptOut,
        Self::LegalDnc,
        Self::Litigator,
        Self::Blacklist,
        Self::WrongNumber,
        Self::InvalidPhone,
        Self::ComplianceHold,
        Self::Erased,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OptOut => "OPT_OUT",
            Self::LegalDnc => "LEGAL_DNC",
            Self::Litigator => "LITIGATOR",
            Self::Blacklist => "BLACKLIST",
            Self::WrongNumber => "WRONG_NUMBER",
            Self::InvalidPhone => "INVALID_PHONE",
            Self::ComplianceHold => "COMPLIANCE_HOLD",
            Self::Erased => "ERASED",
        }
    }

    pub(super) fn parse(stored: &str) -> Result<Self, sqlx::Error> {
        let unknown = || sqlx::Error::Decode(format!("`{stored}` is not a reason of a suppression").into());
        Self::ALL.into_iter().find(|reason| reason.as_str() == stored).ok_or_else(unknown)
    }

    /// Whether it never expires.
    pub const fn permanent(self) -> bool {
        matches!(self, Self::OptOut | Self::LegalDnc | Self::Litigator | Self::Erased)
    }
}

/// Who decided that a number or address is suppressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The carrier: it does not deliver to the number any more.
    Carrier,
    /// The person, with a keyword that the carriers know.
    Keyword,
    /// A rule of ours that reads messages; a person may know better.
    Rule,
    /// A person of the tenant.
    Person,
}

impl Origin {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Carrier => "carrier",
            Self::Keyword => "keyword",
            Self::Rule => "rule",
            Self::Person => "person",
        }
    }

    /// The source that the API names.
    pub(super) const fn source(self) -> &'static str {
        match self {
            Self::Carrier => "carrier",
            Self::Keyword | Self::Rule => "message",
            Self::Person => "person",
        }
    }
}

/// What made a suppression.
#[derive(Debug, Clone, Copy)]
pub struct MadeBy<'a> {
    pub origin: Origin,
    /// `carrier:21610`
    pub rule: &'a str,
    /// The delivery that it came from.
    pub webhook: Option<WebhookId>,
}

/// What a person may lift: what is not permanent, and opt-outs that a rule of ours took from a message; nothing of the carrier.
pub(super) fn removable(reason: Reason, origin: Option<&str>) -> bool {
    match origin {
        Some("carrier") => false,
        Some("rule" | "person") => !matches!(reason, Reason::LegalDnc | Reason::Litigator | Reason::Erased),
        _ => !reason.permanent(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_lifts_what_a_rule_made_and_nothing_of_the_carrier_or_a_keyword() {
        for (reason, origin, expected) in [
            (Reason::OptOut, Some("rule"), true),
            (Reason::OptOut, Some("keyword"), false),
            (Reason::OptOut, Some("carrier"), false),
            (Reason::OptOut, None, false),
            (Reason::InvalidPhone, Some("carrier"), false),
            (Reason::WrongNumber, Some("rule"), true),
            (Reason::WrongNumber, None, true),
            (Reason::LegalDnc, Some("rule"), false),
            (Reason::Blacklist, Some("person"), true),
        ] {
            assert_eq!(removable(reason, origin), expected, "{reason:?} {origin:?}");
        }
    }
}
