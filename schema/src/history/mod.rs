//! A stream's history as text: an event as the API returns it, and an export file that can be verified without the database.
//!
//! The file has one JSON object per line: first a title with the stream, the number of events and the last hash, then the
//! events from version 1 on. `data` and `metadata` are the RFC 8785 bytes that were hashed.

mod event_text;

use serde::{Deserialize, Serialize};

pub use self::event_text::EventText;
use crate::{
    Hash, StreamId, TenantId, Version, hash_text,
    log::{Chain, ChainError},
    seal::{SealError, Sealed},
};

/// The `format` of the title.
pub const FORMAT: &str = "luci-history/1";

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
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    #[error("line 1 is not the title of a history ({FORMAT}): {0}")]
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
        if title.format != FORMAT {
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

#[cfg(test)]
mod tests;
