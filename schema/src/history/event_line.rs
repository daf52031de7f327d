//! An event's line of a bundle, read strictly: every byte is fixed by the format, hashed, or derived from what is hashed.
//!
//! Nothing is decoded or allocated per event, since bundles have millions of them. The parts of the line are the very texts
//! that the hash covers.

use sha2::{Digest, Sha256};

use super::time_text::time_text;
use crate::Hash;

/// What the checks between events need of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventLine<'a> {
    pub position: u64,
    pub version: u64,
    pub tenant: &'a [u8],
    pub stream: &'a [u8],
    pub micros: i64,
    pub previous: Hash,
    pub hash: Hash,
}

/// Why a line is not an event as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// Also for other white space, another order of fields, or a field that does not belong there.
    #[error("not written as an event is, expected {0}")]
    Form(&'static str),
    #[error("the bytes of version {0} do not match its hash")]
    Hash(u64),
    #[error("`recordedAt` of version {0} is not the time of `recordedAtMicros`")]
    Time(u64),
}

/// Between the eleven texts of the hashed header.
const SEPARATOR: u8 = 0x1f;
const PREVIOUS: &str = ",\"previousHash\":\"";
const HASH: &str = "\",\"hash\":\"";
const END: &str = "\"}";
/// Bytes after the metadata: always as many.
const TAIL: usize = PREVIOUS.len() + 64 + HASH.len() + 64 + END.len();
/// SHA-256 of `{}`.
const EMPTY_OBJECT: Hash = *b"\x44\x13\x6f\xa3\x55\xb3\x67\x8a\x11\x46\xad\x16\xf7\xe8\x64\x9e\x94\xfb\x4f\xc2\x1f\xe7\x7e\x83\x10\xc0\x60\xf6\x1c\xaa\xff\x8a";
/// The metadata of most events, with its field.
const NO_METADATA: &[u8] = b",\"metadata\":{}";
const METADATA: &[u8] = b",\"metadata\":";

/// Reads a line, without its line break, and checks its own hash. `scratch` is any buffer, to be used again.
pub(super) fn read<'a>(line: &'a [u8], scratch: &mut Vec<u8>) -> Result<EventLine<'a>, LineFault> {
    let mut rest = Rest(line);
    let (position, _) = rest.number("{\"position\":")?;
    let (version, version_text) = rest.number(",\"version\":")?;
    let event_id = rest.quoted(",\"eventId\":\"")?;
    let event_type = rest.quoted("\",\"type\":\"")?;
    let (_, schema_version) = rest.number("\",\"schemaVersion\":")?;
    let tenant = rest.quoted(",\"tenantId\":\"")?;
    let stream = rest.quoted("\",\"streamId\":\"")?;
    let actor = rest.quoted("\",\"actor\":\"")?;
    let command = rest.quoted("\",\"commandId\":\"")?;
    let correlation = rest.quoted("\",\"correlationId\":\"")?;
    rest.literal("\",\"causationId\":")?;
    let causation = if rest.take("null") {
        &[][..]
    } else {
        let id = rest.quoted("\"")?;
        rest.literal("\"")?;
        id
    };
    let (micros, micros_text) = rest.number(",\"recordedAtMicros\":")?;
    let micros = i64::try_from(micros).map_err(|_| LineFault::Form("a time"))?;
    let recorded_at = rest.quoted(",\"recordedAt\":\"")?;
    rest.literal("\",\"data\":")?;
    let LineEnd { data, metadata, previous, hash } = rest.end()?;
    let texts = [
        event_id,
        tenant,
        stream,
        version_text,
        event_type,
        schema_version,
        micros_text,
        command,
        correlation,
        causation,
        actor,
    ];
    scratch.clear();
    for (n, text) in texts.into_iter().enumerate() {
        if n > 0 {
            scratch.push(SEPARATOR);
        }
        scratch.extend_from_slice(text);
    }
    if !plain(scratch, texts.len() - 1) {
        return Err(LineFault::Form("plain texts"));
    }
    let found = hash_of(&previous, scratch, data, metadata);
    if found != hash {
        return Err(LineFault::Hash(version));
    }
    if recorded_at != time_text(micros).as_bytes() {
        return Err(LineFault::Time(version));
    }
    Ok(EventLine { position, version, tenant, stream, micros, previous, hash })
}

/// Whether the header has so many separators, and otherwise only characters that JSON does not escape. One loop without
/// branches over all texts, which the compiler vectorises.
fn plain(header: &[u8], separators: usize) -> bool {
    let (mut other, mut found) = (false, 0);
    for &byte in header {
        let separator = byte == SEPARATOR;
        found += usize::from(separator);
        other |= !separator & (!matches!(byte, b' '..=b'~') | (byte == b'\\'));
    }
    !other && found == separators
}

/// The same formula as `log::event_hash`.
fn hash_of(previous: &Hash, header: &[u8], data: &[u8], metadata: &[u8]) -> Hash {
    let mut whole = [0; 129];
    whole[0] = 1;
    whole[1..33].copy_from_slice(previous);
    for (at, part) in [(33, header), (65, data), (97, metadata)] {
        let digest = if part == b"{}" { EMPTY_OBJECT } else { Sha256::digest(part).into() };
        whole[at..at + 32].copy_from_slice(&digest);
    }
    Sha256::digest(whole).into()
}

/// The fields behind the header of a line.
struct LineEnd<'a> {
    data: &'a [u8],
    metadata: &'a [u8],
    previous: Hash,
    hash: Hash,
}

/// What is still to be read of a line.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, text: &str) -> bool {
        let after = self.0.strip_prefix(text.as_bytes());
        self.0 = after.unwrap_or(self.0);
        after.is_some()
    }

    fn literal(&mut self, text: &'static str) -> Result<(), LineFault> {
        if self.take(text) { Ok(()) } else { Err(LineFault::Form(text)) }
    }

    /// `name`, then a number as it is hashed: decimal, without leading zeros.
    fn number(&mut self, name: &'static str) -> Result<(u64, &'a [u8]), LineFault> {
        self.literal(name)?;
        let length = self.0.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(length);
        let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
        let number = number.filter(|_| digits.len() == 1 || !digits.starts_with(b"0"));
        self.0 = rest;
        number.map(|number| (number, digits)).ok_or(LineFault::Form("a number"))
    }

    /// `name`, which ends with a quote, then a text that is not empty, up to the next quote. `plain` checks its characters.
    fn quoted(&mut self, name: &'static str) -> Result<&'a [u8], LineFault> {
        self.literal(name)?;
        let length = memchr::memchr(b'"', self.0).filter(|length| *length > 0).ok_or(LineFault::Form("a text"))?;
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(text)
    }

    fn end(self) -> Result<LineEnd<'a>, LineFault> {
        let at = self.0.len().checked_sub(TAIL).ok_or(LineFault::Form("two hashes at the end"))?;
        let (json, tail) = self.0.split_at(at);
        let mut tail = Rest(tail);
        tail.literal(PREVIOUS)?;
        let previous = tail.hash()?;
        tail.literal(HASH)?;
        let hash = tail.hash()?;
        tail.literal(END)?;
        // Braces balance in JSON: no data or metadata that contains this text can end with it.
        if let Some(data) = json.strip_suffix(NO_METADATA) {
            return Ok(LineEnd { data, metadata: &NO_METADATA[METADATA.len()..], previous, hash });
        }
        let mut values = serde_json::Deserializer::from_slice(json).into_iter::<&serde_json::value::RawValue>();
        let data = values.next().and_then(Result::ok).ok_or(LineFault::Form("data"))?.get().as_bytes();
        let metadata = json.get(data.len()..).and_then(|rest| rest.strip_prefix(METADATA));
        Ok(LineEnd { data, metadata: metadata.ok_or(LineFault::Form("metadata"))?, previous, hash })
    }

    /// 64 lower-case hex digits.
    fn hash(&mut self) -> Result<Hash, LineFault> {
        let (digits, rest) = self.0.split_at_checked(64).ok_or(LineFault::Form("a hash"))?;
        self.0 = rest;
        let mut hash = [0; 32];
        let mut all = 0;
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = (NIBBLES[usize::from(pair[0])], NIBBLES[usize::from(pair[1])]);
            all |= high | low;
            *byte = high << 4 | low & 0xf;
        }
        if all > 0xf { Err(LineFault::Form("a hash in lower-case hex")) } else { Ok(hash) }
    }
}

/// The value of each hex digit; 0xff for what is none, or is upper case.
const NIBBLES: [u8; 256] = {
    let mut nibbles = [0xff; 256];
    let digits = b"0123456789abcdef";
    let mut value = 0;
    while value < 16 {
        nibbles[digits[value] as usize] = value as u8;
        value += 1;
    }
    nibbles
};
