//! What links the lines of a bundle: versions and hashes of each stream, positions, seals, and the trailer's figures.

use std::collections::{BTreeSet, HashMap};

use super::{
    LastSealed, Verdict,
    bundle::{BundleDigest, FORMAT, Header, Scope, SealLine, Trailer, strict},
    event_line::EventLine,
    verdict::BundleFault,
    verify::CheckedLine,
};
use crate::{Hash, Position, Version, hash_text, recorded::GENESIS, seal::Seal};

/// The last event of a stream so far.
struct StreamEnd {
    version: u64,
    hash: Hash,
    micros: i64,
}

/// Events whose positions no seal of the file covers.
#[derive(Default)]
struct Unsealed {
    events: u64,
    first: u64,
    last: u64,
}

/// Follows the lines in order, up to the first fault.
pub(super) struct Links {
    verdict: Verdict,
    scope: Scope,
    /// The ids that the header names, as text.
    stream: Option<String>,
    tenant: Option<String>,
    streams: HashMap<Box<[u8]>, StreamEnd>,
    /// Number of the last line.
    line: u64,
    position: u64,
    version: u64,
    /// Positions and hashes since the last seal's line.
    open: Vec<(u64, Hash)>,
    seal: Option<Seal>,
    seals: u64,
    unsealed: Unsealed,
    digest: BundleDigest,
    trailer_found: bool,
}

impl Links {
    /// # Errors
    /// The verdict on a file whose first line is no header.
    pub fn begin(header: &[u8]) -> Result<Self, Box<Verdict>> {
        let mut verdict = Verdict {
            format: FORMAT,
            scope: None,
            checked: 0,
            head: GENESIS,
            sealed: None,
            keys: BTreeSet::new(),
            fault: None,
            not_covered: Vec::new(),
        };
        let parsed: Result<Header, String> = strict(header);
        let scope = parsed.and_then(|header| match header.scope().filter(|_| header.is_current()) {
            Some(scope) => Ok(scope),
            None => Err(format!("it is not one of {FORMAT}")),
        });
        let scope = match scope {
            Ok(scope) => scope,
            Err(why) => {
                verdict.fault = Some(BundleFault::Header(why));
                return Err(Box::new(verdict));
            }
        };
        verdict.scope = Some(scope);
        let (stream, tenant, before) = match scope {
            Scope::Stream { stream, tenant } => (Some(stream.to_string()), Some(tenant.to_string()), 0),
            Scope::Tenant { tenant, from, .. } => (None, Some(tenant.to_string()), from.0.saturating_sub(1)),
            Scope::Range { from, .. } => (None, None, from.0.saturating_sub(1)),
        };
        Ok(Self {
            verdict,
            scope,
            stream,
            tenant,
            streams: HashMap::new(),
            line: 1,
            position: before,
            version: 0,
            open: Vec::new(),
            seal: None,
            seals: 0,
            unsealed: Unsealed::default(),
            digest: BundleDigest::of_header(header),
            trailer_found: false,
        })
    }

    pub fn is_broken(&self) -> bool {
        self.verdict.fault.is_some()
    }

    /// Checks the next line; after a fault does nothing.
    pub fn follow(&mut self, line: &CheckedLine<'_>) {
        if self.is_broken() {
            return;
        }
        self.line += 1;
        let line_number = self.line;
        let followed = match line {
            _ if self.trailer_found => Err(BundleFault::Behind { line: line_number }),
            CheckedLine::Event(event) => self.event(event),
            CheckedLine::Fault(fault) => Err(BundleFault::Event { line: line_number, fault: *fault }),
            CheckedLine::Other(line) if line.starts_with(b"{\"seal\":") => self.seal(line),
            CheckedLine::Other(line) => self.trailer(line),
        };
        self.verdict.fault = followed.err();
    }

    fn event(&mut self, event: &EventLine<'_>) -> Result<(), BundleFault> {
        let line = self.line;
        self.belongs(event)?;
        let stream = || String::from_utf8_lossy(event.stream).into_owned();
        let version = event.version;
        let end = StreamEnd { version, hash: event.hash, micros: event.micros };
        match self.streams.get_mut(event.stream) {
            Some(before) => {
                let expected = before.version + 1;
                if version != expected {
                    return Err(BundleFault::Version { line, stream: stream(), expected, found: version });
                }
                if event.previous != before.hash {
                    return Err(BundleFault::Previous { line, stream: stream(), version });
                }
                if event.micros < before.micros {
                    return Err(BundleFault::Recorded { line, stream: stream(), version });
                }
                *before = end;
            }
            // A stream that begins before the range is linked from its second event on.
            None => {
                if self.begins_whole() && version != 1 {
                    return Err(BundleFault::Version { line, stream: stream(), expected: 1, found: version });
                }
                if (version == 1) != (event.previous == GENESIS) {
                    return Err(BundleFault::Previous { line, stream: stream(), version });
                }
                self.streams.insert(event.stream.into(), end);
            }
        }
        self.digest.event(event.position, &event.hash);
        self.open.push((event.position, event.hash));
        (self.position, self.version) = (event.position, version);
        (self.verdict.head, self.verdict.checked) = (event.hash, self.verdict.checked + 1);
        Ok(())
    }

    /// Whether every stream is in the file from its first event on.
    fn begins_whole(&self) -> bool {
        match self.scope {
            Scope::Stream { .. } => true,
            Scope::Tenant { from, .. } | Scope::Range { from, .. } => from.0 <= 1,
        }
    }

    /// The event is of the header's stream, tenant and positions.
    fn belongs(&self, event: &EventLine<'_>) -> Result<(), BundleFault> {
        let line = self.line;
        for (expected, found) in [(&self.stream, event.stream), (&self.tenant, event.tenant)] {
            if let Some(expected) = expected.as_ref().filter(|expected| expected.as_bytes() != found) {
                let (found, expected) = (String::from_utf8_lossy(found).into_owned(), expected.clone());
                return Err(BundleFault::Owner { line, found, expected });
            }
        }
        let (before, found) = (self.position, event.position);
        let fits = match self.scope {
            Scope::Stream { .. } => found > before,
            Scope::Tenant { to, .. } => found > before && found <= to.0,
            Scope::Range { to, .. } => found == before + 1 && found <= to.0,
        };
        if fits { Ok(()) } else { Err(BundleFault::Position { line, before, found }) }
    }

    fn seal(&mut self, text: &[u8]) -> Result<(), BundleFault> {
        let line = self.line;
        let found: SealLine = strict(text).map_err(|why| BundleFault::Line { line, why })?;
        let seal = &found.seal;
        let invalid = |why: &str| BundleFault::Seal { line, seal: seal.seal_id, why: why.to_owned() };
        seal.check_alone().map_err(|error| invalid(&error.to_string()))?;
        if let Some(before) = &self.seal {
            let follows = seal.seal_id > before.seal_id && seal.from_position > before.to_position;
            let next = seal.seal_id == before.seal_id + 1;
            if !follows || (next && seal.check(Some(before)).is_err()) {
                return Err(invalid("it does not follow the seal before it"));
            }
        }
        let from = seal.from_position.0;
        // The seal of these was left out.
        let earlier = self.open.partition_point(|(position, _)| *position < from);
        let own = self.open.split_off(earlier);
        self.leave_unsealed();
        self.open = own;
        if !found.covers(&self.open) {
            return Err(invalid("the events before it do not lead to its root"));
        }
        self.open.clear();
        self.digest.seal(&seal.seal_hash);
        let (version, position) = (Version(self.version), Position(self.position));
        self.verdict.sealed = Some(LastSealed { version, position, seal: seal.clone() });
        self.verdict.keys.insert(hex::encode(seal.public_key));
        self.seals += 1;
        self.seal = Some(found.seal);
        Ok(())
    }

    /// Counts the open events as covered by no seal.
    fn leave_unsealed(&mut self) {
        if let (Some(first), Some(last)) = (self.open.first(), self.open.last()) {
            if self.unsealed.events == 0 {
                self.unsealed.first = first.0;
            }
            self.unsealed.last = last.0;
            self.unsealed.events += self.open.len() as u64;
        }
        self.open.clear();
    }

    fn trailer(&mut self, text: &[u8]) -> Result<(), BundleFault> {
        let line = self.line;
        let trailer: Trailer = strict(text).map_err(|why| BundleFault::Line { line, why })?;
        let head = (hash_text(&self.verdict.head), hash_text(&trailer.head_hash));
        let digest = (hash_text(&self.digest.clone().value()), hash_text(&trailer.digest));
        for (what, (found, expected)) in [
            ("events", (self.verdict.checked.to_string(), trailer.events.to_string())),
            ("seals", (self.seals.to_string(), trailer.seals.to_string())),
            ("headHash", head),
            ("digest", digest),
        ] {
            if found != expected {
                return Err(BundleFault::Trailer { line, what, found, expected });
            }
        }
        if let Scope::Range { to, .. } = self.scope
            && self.position != to.0
        {
            return Err(BundleFault::Position { line, before: self.position, found: to.0 });
        }
        self.trailer_found = true;
        Ok(())
    }

    /// The verdict, after the last line.
    pub fn end(mut self) -> Verdict {
        self.leave_unsealed();
        if self.verdict.fault.is_none() && !self.trailer_found {
            self.verdict.fault = Some(BundleFault::Cut { events: self.verdict.checked });
        }
        let Unsealed { events, first, last } = self.unsealed;
        if events > 0 {
            let why = format!("no seal covers the position of {events} events, from {first} to {last}");
            self.verdict.lacks("position", why);
        }
        self.verdict
    }
}
