//! The hash chain: an event's hash covers its header, data, metadata and the previous hash of its stream.
//!
//! `SHA-256(0x01 ‖ previous ‖ SHA-256(header) ‖ SHA-256(data) ‖ SHA-256(metadata))`, the header being eleven texts joined
//! by 0x1F. The same formula is in SQL (`log.event_hash`), so an auditor can check the chain without this code.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::{Hash, Micros, Recorded, StreamId, Version, recorded::GENESIS};

/// The hash that the event must have, from its other fields.
pub fn event_hash(event: &Recorded) -> Hash {
    let mut whole = Sha256::new();
    whole.update([1]);
    whole.update(event.previous_hash);
    whole.update(Sha256::digest(header(event)));
    whole.update(Sha256::digest(&event.data));
    whole.update(Sha256::digest(&event.metadata));
    whole.finalize().into()
}

fn header(event: &Recorded) -> String {
    let mut text = String::with_capacity(320);
    let causation = event.causation_id.map(|id| id.to_string()).unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{}\x1f{}\x1f{}\x1f{}\x1f{}\x1f{}\x1f{}\x1f{}\x1f{}\x1f{}\x1f{}",
        event.event_id,
        event.tenant_id,
        event.stream_id,
        event.version,
        event.event_type,
        event.schema_version,
        event.recorded_at.0,
        event.command_id,
        event.correlation_id,
        causation,
        event.actor
    );
    text
}

/// The first fault in a history, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    #[error("version {found} stands where {expected} should")]
    Version { expected: Version, found: Version },
    #[error("version {version} belongs to stream {found}")]
    Stream { version: Version, found: StreamId },
    #[error("version {version} does not name the hash of the event before it")]
    Previous { version: Version },
    #[error("the bytes of version {version} do not match its hash")]
    Bytes { version: Version },
    #[error("version {version} was recorded before the event before it")]
    Time { version: Version },
}

/// Checks the events of one stream in order, from version 1.
#[derive(Debug, Clone)]
pub struct Chain {
    stream: StreamId,
    version: Version,
    hash: Hash,
    recorded_at: Micros,
}

impl Chain {
    pub fn new(stream: StreamId) -> Self {
        Self { stream, version: Version(0), hash: GENESIS, recorded_at: Micros(i64::MIN) }
    }

    /// Checks the next event; on an error the state is unchanged.
    pub fn follow(&mut self, event: &Recorded) -> Result<(), ChainError> {
        let (version, expected) = (event.version, Version(self.version.0 + 1));
        if event.stream_id != self.stream {
            return Err(ChainError::Stream { version, found: event.stream_id });
        }
        if version != expected {
            return Err(ChainError::Version { expected, found: version });
        }
        if event.previous_hash != self.hash {
            return Err(ChainError::Previous { version });
        }
        if event_hash(event) != event.hash {
            return Err(ChainError::Bytes { version });
        }
        if event.recorded_at < self.recorded_at {
            return Err(ChainError::Time { version });
        }
        (self.version, self.hash, self.recorded_at) = (version, event.hash, event.recorded_at);
        Ok(())
    }

    pub fn version(&self) -> Version {
        self.version
    }

    /// Hash of the last event; `GENESIS` before the first.
    pub fn hash(&self) -> Hash {
        self.hash
    }
}
