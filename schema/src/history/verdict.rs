//! What the verification of an exported history says.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{bundle::Scope, event_line::LineFault};
use crate::{Hash, Position, Version, seal::Seal};

/// A part of a file that no hash or signature proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotCovered {
    /// Name of the field or of what is meant.
    pub part: &'static str,
    pub why: String,
}

/// The newest event that a seal covers, and that seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastSealed {
    pub version: Version,
    pub position: Position,
    pub seal: Seal,
}

/// The result of a verification.
#[derive(Debug)]
pub struct Verdict {
    pub format: &'static str,
    /// `None` when the header cannot be read.
    pub scope: Option<Scope>,
    /// Valid events before the first fault.
    pub checked: u64,
    /// Hash of the last valid event.
    pub head: Hash,
    pub sealed: Option<LastSealed>,
    /// The public keys of all its seals, in hex.
    pub keys: BTreeSet<String>,
    /// The first fault; then the file is not evidence of anything.
    pub fault: Option<BundleFault>,
    pub not_covered: Vec<NotCovered>,
}

impl Verdict {
    pub fn is_intact(&self) -> bool {
        self.fault.is_none()
    }

    /// Whether every byte and every claim of the file is proved.
    pub fn is_proved(&self) -> bool {
        self.is_intact() && self.not_covered.is_empty()
    }

    /// Compares it with what the caller knows from elsewhere: the last event's hash, and public keys that may seal, in
    /// lower-case hex. What is not given is not covered.
    pub fn expect(&mut self, head: Option<&str>, keys: &[String]) {
        let found = hex::encode(self.head);
        let other = self.keys.iter().find(|key| !keys.contains(key)).cloned();
        let other = if self.keys.is_empty() { Some("nobody".to_owned()) } else { other };
        let fault = match (head, other) {
            (Some(head), _) if head != found => Some(BundleFault::Head { found, expected: head.to_owned() }),
            (_, Some(found)) if !keys.is_empty() => Some(BundleFault::Key { found, expected: keys.join(" or ") }),
            _ => None,
        };
        self.fault = self.fault.take().or(fault);
        if keys.is_empty() && !self.keys.is_empty() {
            self.lacks("publicKey", "the file names its key itself: compare with the installation's (--key)");
        }
        let complete = match self.scope {
            Some(Scope::Range { .. }) => true,
            Some(Scope::Stream { .. }) => head.is_some(),
            Some(Scope::Tenant { .. }) | None => false,
        };
        if !complete {
            let why = match self.scope {
                Some(Scope::Stream { .. }) => {
                    "later events may be left out: compare with a head noted elsewhere (--head)"
                }
                _ => "streams, and the ends of streams, may be left out: a bundle of the whole range has all",
            };
            self.lacks("completeness", why);
        }
    }

    pub(super) fn lacks(&mut self, part: &'static str, why: impl Into<String>) {
        self.not_covered.push(NotCovered { part, why: why.into() });
    }
}

/// Why a file is invalid, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleFault {
    #[error("line 1 is not the header of an exported history: {0}")]
    Header(String),
    #[error("line {line}: {fault}")]
    Event { line: u64, fault: LineFault },
    #[error("line {line}: version {found} of {stream} stands where {expected} should")]
    Version { line: u64, stream: String, expected: u64, found: u64 },
    #[error("line {line}: version {version} of {stream} does not name the hash of the event before it")]
    Previous { line: u64, stream: String, version: u64 },
    #[error("line {line}: version {version} of {stream} was recorded before the event before it")]
    Recorded { line: u64, stream: String, version: u64 },
    #[error("line {line}: position {found} does not belong behind {before}, or into the file")]
    Position { line: u64, before: u64, found: u64 },
    #[error("line {line} is an event of {found}, but the header says {expected}")]
    Owner { line: u64, found: String, expected: String },
    #[error("line {line} is neither event, seal nor trailer: {why}")]
    Line { line: u64, why: String },
    #[error("line {line}: seal {seal} is invalid: {why}")]
    Seal { line: u64, seal: u64, why: String },
    #[error("line {line}: {what} of the trailer is {expected}, the file has {found}")]
    Trailer { line: u64, what: &'static str, found: String, expected: String },
    #[error("line {line} stands behind the trailer")]
    Behind { line: u64 },
    #[error("the file ends after {events} events, without a trailer")]
    Cut { events: u64 },
    #[error("the last event's hash is {found}, not {expected}")]
    Head { found: String, expected: String },
    #[error("it is sealed by {found}, not {expected}")]
    Key { found: String, expected: String },
    /// Of the first format.
    #[error(transparent)]
    First(#[from] super::HistoryError),
}
