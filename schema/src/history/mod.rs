//! A stream's history as text: an event as the API returns it, and an export file that can be verified without the database.
//!
//! The file has one JSON object per line: first a title with the stream, the number of events and the last hash, then the
//! events from version 1 on. `data` and `metadata` are the RFC 8785 bytes that were hashed.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    Actor, CommandId, CorrelationId, Event, EventId, Hash, Micros, Position, Recorded, StreamId, TenantId, Version,
    hash_text,
    log::{Chain, ChainError},
    seal::{SealError, Sealed},
};

/// The `format` of the title.
pub const FORMAT: &str = "luci-history/1";

/// An event with its envelope.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventText<'a> {
    pub position: Position,
    pub version: Version,
    pub event_id: EventId,
    #[serde(rename = "type", borrow)]
    pub event_type: Cow<'a, str>,
    pub schema_version: u16,
    pub tenant_id: TenantId,
    pub stream_id: StreamId,
    pub actor: Actor,
    pub command_id: CommandId,
    pub correlation_id: CorrelationId,
    pub causation_id: Option<EventId>,
    /// The hashed time; `recorded_at` is the same as text.
    pub recorded_at_micros: Micros,
    pub recorded_at: String,
    #[serde(borrow)]
    pub data: &'a RawValue,
    #[serde(borrow)]
    pub metadata: &'a RawValue,
    #[serde(with = "hex::serde")]
    pub previous_hash: Hash,
    #[serde(with = "hex::serde")]
    pub hash: Hash,
}

impl<'a> TryFrom<&'a Recorded> for EventText<'a> {
    /// When the stored data is not JSON.
    type Error = serde_json::Error;

    fn try_from(event: &'a Recorded) -> Result<Self, Self::Error> {
        Ok(Self {
            position: event.position,
            version: event.version,
            event_id: event.event_id,
            event_type: Cow::Borrowed(&event.event_type),
            schema_version: event.schema_version,
            tenant_id: event.tenant_id,
            stream_id: event.stream_id,
            actor: event.actor,
            command_id: event.command_id.clone(),
            correlation_id: event.correlation_id,
            causation_id: event.causation_id,
            recorded_at_micros: event.recorded_at,
            recorded_at: event.recorded_at.rfc3339(),
            data: serde_json::from_str(&event.data)?,
            metadata: serde_json::from_str(&event.metadata)?,
            previous_hash: event.previous_hash,
            hash: event.hash,
        })
    }
}

impl EventText<'_> {
    /// For the hash chain, which needs only the bytes: the event is not decoded.
    fn undecoded(self) -> Recorded {
        Recorded {
            position: self.position,
            version: self.version,
            event_id: self.event_id,
            event: Event::Unknown(self.event_type.clone().into_owned()),
            event_type: self.event_type.into_owned(),
            schema_version: self.schema_version,
            tenant_id: self.tenant_id,
            stream_id: self.stream_id,
            actor: self.actor,
            command_id: self.command_id,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
            recorded_at: self.recorded_at_micros,
            data: self.data.get().to_owned(),
            metadata: self.metadata.get().to_owned(),
            previous_hash: self.previous_hash,
            hash: self.hash,
        }
    }
}

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
mod tests {
    use super::*;
    use crate::{
        RunEvent, RunId,
        log::{GENESIS, event_hash},
        merkle, seal,
    };

    fn recorded(tenant_id: TenantId, run: RunId, version: u64, previous_hash: Hash) -> Recorded {
        let event = Event::from(RunEvent::Resumed(Default::default()));
        let mut recorded = Recorded {
            position: Position(10 * version),
            version: Version(version),
            event_id: EventId::generate(),
            event_type: event.type_name().into(),
            schema_version: 1,
            tenant_id,
            stream_id: run.into(),
            actor: Actor::System,
            command_id: CommandId::derive(&["test"]),
            correlation_id: CorrelationId::generate(),
            causation_id: None,
            recorded_at: Micros(1_764_400_000_000_000),
            // Not canonical on purpose: the chain covers the bytes as they are.
            data: r#"{"b": 1,"a":"\u00e4"}"#.into(),
            metadata: "{}".into(),
            previous_hash,
            hash: GENESIS,
            event,
        };
        recorded.hash = event_hash(&recorded);
        recorded
    }

    /// A title and three events.
    fn file() -> Vec<String> {
        let (tenant, run) = (TenantId::generate(), RunId::generate());
        let (mut lines, mut head_hash) = (vec![String::new()], GENESIS);
        for version in 1..=3 {
            let event = recorded(tenant, run, version, head_hash);
            head_hash = event.hash;
            lines.push(serde_json::to_string(&EventText::try_from(&event).unwrap()).unwrap());
        }
        let (format, exported_at, sealed) = (FORMAT.into(), Micros(0).rfc3339(), None);
        let title = Title {
            format,
            stream_id: run.into(),
            tenant_id: tenant,
            events: Version(3),
            head_hash,
            exported_at,
            sealed,
        };
        lines[0] = serde_json::to_string(&title).unwrap();
        lines
    }

    fn check(lines: &[String]) -> Result<Title, HistoryError> {
        let mut proof = Proof::begin(&lines[0])?;
        lines[1..].iter().try_for_each(|line| proof.follow(line))?;
        proof.end()
    }

    #[test]
    fn a_complete_history_is_valid() {
        assert_eq!(check(&file()).unwrap().events, Version(3));
    }

    #[test]
    fn the_first_fault_is_reported_with_its_line() {
        let whole = file();
        let fault = |change: &dyn Fn(&mut Vec<String>)| {
            let mut lines = whole.clone();
            change(&mut lines);
            check(&lines).unwrap_err().to_string()
        };
        assert_eq!(
            fault(&|lines| lines[2] = lines[2].replace(r#""b": 1"#, r#""b":1"#)),
            "line 3: the bytes of version 2 do not match its hash"
        );
        assert_eq!(fault(&|lines| drop(lines.remove(2))), "line 3: version 3 stands where 2 should");
        assert_eq!(fault(&|lines| drop(lines.pop())), "the file ends after 2 of 3 events");
        assert_eq!(
            fault(&|lines| lines.push(lines[3].clone())),
            "line 5 is beyond the 3 events that the title announces"
        );
        assert_eq!(
            fault(&|lines| lines[3] = "{}".into()),
            "line 4 is not an event: missing field `position` at line 1 column 2"
        );
        let shorter = |lines: &mut Vec<String>| {
            lines.pop();
            lines[0] = lines[0].replace(r#""events":3"#, r#""events":2"#);
        };
        assert!(
            fault(&shorter).starts_with("the last event's hash is "),
            "the title has the hash of the removed event"
        );
        let other = TenantId::generate();
        let stranger = |lines: &mut Vec<String>| {
            let title: Title = serde_json::from_str(&lines[0]).unwrap();
            lines[2] = lines[2].replace(&title.tenant_id.to_string(), &other.to_string());
        };
        assert!(fault(&stranger).starts_with(&format!("line 3 is an event of {other}")));
        assert!(fault(&|lines| lines[0] = lines[1].clone()).starts_with("line 1 is not the title of a history"));
    }

    #[test]
    fn the_sealed_event_must_be_the_one_in_the_file() {
        let mut lines = file();
        let mut title: Title = serde_json::from_str(&lines[0]).unwrap();
        let second: EventText = serde_json::from_str(&lines[2]).unwrap();
        let (version, position, hash) = (second.version, second.position, second.hash);
        // The event is at position 20, the seal covers 1 to 21.
        let hashes: Vec<Hash> = (1..=21).map(|at| if at == position.0 { hash } else { [7; 32] }).collect();
        let leaves: Vec<Hash> = (1..).zip(&hashes).map(|(at, hash)| merkle::leaf(Position(at), hash)).collect();
        let key = seal::SealKey::from_pem(&seal::SealKey::generate_pem().unwrap()).unwrap();
        let seal = key.seal(None, Position(21), merkle::root(&leaves), Micros(1));
        let sealed = Sealed::under(seal, &hashes, (version, position, hash));
        let mut verify = |sealed: Sealed| {
            title.sealed = Some(Box::new(sealed));
            lines[0] = serde_json::to_string(&title).unwrap();
            check(&lines).map(|title| title.sealed.is_some()).map_err(|error| error.to_string())
        };
        assert_eq!(verify(sealed.clone()), Ok(true));
        let third = Sealed { version: Version(3), ..sealed.clone() };
        assert_eq!(verify(third), Err("version 3 is not the event that was sealed".into()));
        let missing = Sealed { version: Version(9), ..sealed.clone() };
        assert_eq!(verify(missing), Err("version 9 is not the event that was sealed".into()));
        let mut forged = sealed;
        forged.seal.signature = [0; 64];
        assert_eq!(verify(forged), Err("the seal of version 2 is invalid: its signature is not its key's".into()));
    }
}
