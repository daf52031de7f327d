//! The lines of a bundle (`luci-history/2`) that are no events: header, seals and trailer; and the digest over all lines.
//!
//! Each line has one form only: what serde_json writes for these types. A reader compares, so that no byte is free.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{Hash, Position, StreamId, TenantId, merkle, seal::Seal};

/// The `format` of the header.
pub const FORMAT: &str = "luci-history/2";

/// Whose events a bundle has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One stream from its first event on.
    Stream { stream: StreamId, tenant: TenantId },
    /// All streams of a tenant, within positions.
    Tenant { tenant: TenantId, from: Position, to: Position },
    /// Every event of a range of positions.
    Range { from: Position, to: Position },
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    format: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_id: Option<StreamId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<TenantId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_position: Option<Position>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_position: Option<Position>,
}

impl From<Scope> for Header {
    fn from(scope: Scope) -> Self {
        let (stream_id, tenant_id, positions) = match scope {
            Scope::Stream { stream, tenant } => (Some(stream), Some(tenant), None),
            Scope::Tenant { tenant, from, to } => (None, Some(tenant), Some((from, to))),
            Scope::Range { from, to } => (None, None, Some((from, to))),
        };
        let (from_position, to_position) = positions.unzip();
        Self { format: FORMAT.into(), stream_id, tenant_id, from_position, to_position }
    }
}

impl Header {
    /// Whether it is of this format.
    pub fn is_current(&self) -> bool {
        self.format == FORMAT
    }

    pub fn scope(&self) -> Option<Scope> {
        match (self.stream_id, self.tenant_id, self.from_position.zip(self.to_position)) {
            (Some(stream), Some(tenant), None) => Some(Scope::Stream { stream, tenant }),
            (None, Some(tenant), Some((from, to))) => Some(Scope::Tenant { tenant, from, to }),
            (None, None, Some((from, to))) => Some(Scope::Range { from, to }),
            _ => None,
        }
    }
}

/// Behind the last event that a seal covers: proves position and hash of the events since the line of the seal before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SealLine {
    pub seal: Seal,
    /// `merkle::nodes`
    nodes: Vec<Node>,
}

/// As lower-case hex: `strict` refuses any other spelling, since it is written differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Node(#[serde(with = "hex::serde")] Hash);

impl SealLine {
    /// `hashes` are those of all events that the seal covers, `own` the rising positions of those in the bundle.
    pub fn new(seal: Seal, hashes: &[Hash], own: &[u64]) -> Self {
        let from = seal.from_position.0;
        let leaves: Vec<Hash> = (from..).zip(hashes).map(|(at, hash)| merkle::leaf(Position(at), hash)).collect();
        let own: Vec<usize> = own.iter().map(|at| index(*at, from)).collect();
        let nodes = merkle::nodes(&leaves, &own).into_iter().map(Node).collect();
        Self { seal, nodes }
    }

    /// Whether these events, with rising positions within the seal's range, lead to its root.
    pub fn covers(&self, own: &[(u64, Hash)]) -> bool {
        let (from, to) = (self.seal.from_position.0, self.seal.to_position.0);
        let nodes: Vec<Hash> = self.nodes.iter().map(|node| node.0).collect();
        // Trees beyond this are never made, and the file is not trusted.
        let Some(leaves) = to.checked_sub(from).filter(|span| *span < crate::seal::MAX_EVENTS as u64) else {
            return false;
        };
        let own: Vec<_> = own.iter().map(|(at, hash)| (index(*at, from), merkle::leaf(Position(*at), hash))).collect();
        merkle::root_of(&own, index(leaves, 0) + 1, &nodes) == Some(self.seal.root)
    }
}

fn index(position: u64, from: u64) -> usize {
    position.checked_sub(from).and_then(|index| usize::try_from(index).ok()).unwrap_or(usize::MAX)
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trailer {
    pub events: u64,
    pub seals: u64,
    /// Hash of the last event.
    #[serde(with = "hex::serde")]
    pub head_hash: Hash,
    #[serde(with = "hex::serde")]
    pub digest: Hash,
}

/// SHA-256 over the header's line with its line break, then for each line behind it: of an event `0x00 ‖ position as
/// big-endian u64 ‖ hash`, of a seal `0x01 ‖ its hash`.
#[derive(Debug, Clone)]
pub(super) struct BundleDigest(Sha256);

impl BundleDigest {
    /// `header` is the line without its line break.
    pub fn of_header(header: &[u8]) -> Self {
        Self(Sha256::new().chain_update(header).chain_update(b"\n"))
    }

    pub fn event(&mut self, position: u64, hash: &Hash) {
        let mut bytes = [0; 41];
        bytes[1..9].copy_from_slice(&position.to_be_bytes());
        bytes[9..].copy_from_slice(hash);
        self.0.update(bytes);
    }

    pub fn seal(&mut self, hash: &Hash) {
        self.0.update([1]);
        self.0.update(hash);
    }

    pub fn value(self) -> Hash {
        self.0.finalize().into()
    }
}

/// Reads a line that has only one form.
pub(super) fn strict<T: Serialize + DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    let value: T = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let written = serde_json::to_vec(&value).map_err(|error| error.to_string())?;
    if written == line { Ok(value) } else { Err("it has bytes that do not belong there".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_one_spelling() {
        let node = format!("\"{}\"", "ab".repeat(32));
        assert!(strict::<Node>(node.as_bytes()).is_ok());
        assert!(strict::<Node>(node.to_uppercase().as_bytes()).is_err());
    }
}
