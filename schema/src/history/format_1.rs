//! The first format of exported histories, which stays readable: a title with the stream, the number of events and the last
//! hash, then the events from version 1 on, one JSON object per line.

use std::{
    collections::BTreeSet,
    io::{self, BufRead},
};

use serde::{Deserialize, Serialize};

use super::{EventText, LastSealed, Scope, Verdict};
use crate::{
    Hash, StreamId, TenantId, Version, hash_text,
    log::{Chain, ChainError},
    seal::{SealError, Sealed},
};

/// The `format` of the title.
pub const FORMAT_1: &str = "luci-history/1";

/// The first line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Title {
    pub format: String,
    pub stream_id: StreamId,
    pub tenant_id: TenantId,
    /// Number of events, which is the version of the last.
    pub events: Version,
    /// The hash of the last event.
    #[serde(with = "hex::serde")]
    pub head_hash: Hash,
    pub exported_at: String,
    /// The newest event that was sealed at the time of the export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Box<Sealed>>,
}

/// Why a file is invalid, and in which line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    #[error("line 1 is not the title of a history ({FORMAT_1}): {0}")]
    Title(String),
    #[error("line {line} is not an event: {why}")]
    Line { line: u64, why: String },
    #[error("line {line}: {error}")]
    Chain { line: u64, error: ChainError },
    #[error("line {line} is an event of {found}, but the title says {expected}")]
    Tenant { line: u64, found: TenantId, expected: TenantId },
    #[error("line {line} is beyond the {events} events that the title announces")]
    More { line: u64, events: Version },
    #[error("the file ends after {found} of {events} events")]
    Cut { found: Version, events: Version },
    #[error("the last event's hash is {found}, but the title says {expected}")]
    Head { found: String, expected: String },
    #[error("the seal of version {version} is invalid: {error}")]
    Seal { version: Version, error: SealError },
    #[error("version {version} is not the event that was sealed")]
    Unsealed { version: Version },
}

/// Verifies a file line by line.
#[derive(Debug)]
pub struct Proof {
    title: Title,
    chain: Chain,
    /// The event that the title names as sealed was checked.
    sealed_found: bool,
}

impl Proof {
    /// Reads the title, the first line.
    pub fn begin(line: &str) -> Result<Self, HistoryError> {
        let title: Title = serde_json::from_str(line).map_err(|error| HistoryError::Title(error.to_string()))?;
        if title.format != FORMAT_1 {
            return Err(HistoryError::Title(format!("its format is `{}`", title.format)));
        }
        let chain = Chain::new(title.stream_id);
        Ok(Self { title, chain, sealed_found: false })
    }

    /// Checks the next event line.
    pub fn follow(&mut self, text: &str) -> Result<(), HistoryError> {
        let line = self.chain.version().0 + 2;
        if self.chain.version() >= self.title.events {
            return Err(HistoryError::More { line, events: self.title.events });
        }
        let event: EventText =
            serde_json::from_str(text).map_err(|e| HistoryError::Line { line, why: e.to_string() })?;
        if event.recorded_at != event.recorded_at_micros.rfc3339() {
            let why = "`recordedAt` is not the time of `recordedAtMicros`".into();
            return Err(HistoryError::Line { line, why });
        }
        if event.tenant_id != self.title.tenant_id {
            return Err(HistoryError::Tenant { line, found: event.tenant_id, expected: self.title.tenant_id });
        }
        let event = event.undecoded();
        self.chain.follow(&event).map_err(|error| HistoryError::Chain { line, error })?;
        match &self.title.sealed {
            Some(sealed) if sealed.version == event.version => {
                self.sealed_found = (sealed.position, sealed.hash) == (event.position, event.hash);
                if self.sealed_found { Ok(()) } else { Err(HistoryError::Unsealed { version: event.version }) }
            }
            _ => Ok(()),
        }
    }

    /// The version of the last valid event.
    pub fn checked(&self) -> Version {
        self.chain.version()
    }

    pub fn title(&self) -> &Title {
        &self.title
    }

    /// After the last line, checks that the file is complete.
    pub fn end(self) -> Result<Title, HistoryError> {
        let (found, events) = (self.chain.version(), self.title.events);
        if found < events {
            return Err(HistoryError::Cut { found, events });
        }
        if self.chain.hash() != self.title.head_hash {
            let (found, expected) = (hash_text(&self.chain.hash()), hash_text(&self.title.head_hash));
            return Err(HistoryError::Head { found, expected });
        }
        if let Some(sealed) = &self.title.sealed {
            let version = sealed.version;
            sealed.check().map_err(|error| HistoryError::Seal { version, error })?;
            if !self.sealed_found {
                return Err(HistoryError::Unsealed { version });
            }
        }
        Ok(self.title)
    }
}

/// Verifies a file whose first line was read. What the format does not prove is named.
pub(super) fn verify(first: &str, rest: impl BufRead) -> io::Result<Verdict> {
    let mut verdict = Verdict {
        format: FORMAT_1,
        scope: None,
        checked: 0,
        head: crate::recorded::GENESIS,
        sealed: None,
        keys: BTreeSet::new(),
        fault: None,
        not_covered: Vec::new(),
    };
    verdict.lacks("exportedAt", "stated by the exporter");
    verdict.lacks("position", "only that of the sealed event is covered by a seal");
    verdict.lacks("form", "white space, unknown fields and a removed seal are not noticed: export it again");
    let mut proof = match Proof::begin(first) {
        Ok(proof) => proof,
        Err(error) => return Ok(Verdict { fault: Some(error.into()), ..verdict }),
    };
    let title = proof.title().clone();
    verdict.scope = Some(Scope::Stream { stream: title.stream_id, tenant: title.tenant_id });
    verdict.keys.extend(title.sealed.iter().map(|sealed| hex::encode(sealed.seal.public_key)));
    verdict.sealed =
        title.sealed.map(|sealed| LastSealed { version: sealed.version, position: sealed.position, seal: sealed.seal });
    for line in rest.lines() {
        verdict.fault = proof.follow(&line?).err().map(Into::into);
        if verdict.fault.is_some() {
            break;
        }
    }
    (verdict.checked, verdict.head) = (proof.checked().0, proof.chain.hash());
    if verdict.fault.is_none() {
        verdict.fault = proof.end().err().map(Into::into);
    }
    Ok(verdict)
}

#[cfg(test)]
#[path = "format_1_tests.rs"]
mod tests;
