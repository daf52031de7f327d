//! Seals: signed statements over the log. Each covers a range of positions by the root of a Merkle tree over their hashes and
//! contains the previous seal's hash, so that a truncated, incomplete or rewritten log is detected.
//!
//! A seal's hash is SHA-256 over `0x02 ‖ previous seal ‖ id ‖ from ‖ to ‖ microseconds ‖ root`, numbers as big-endian u64;
//! Ed25519 (RFC 8032) signs it. The tree is that of `merkle`.

use std::fmt;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Hash, Micros, Position, Version,
    merkle::{leaf, path, root_by},
    recorded::GENESIS,
};

/// Most events that one seal covers.
pub const MAX_EVENTS: usize = 10_000;

/// A seal as stored, exported and returned by the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seal {
    /// 1, 2, 3 … without a hole.
    pub seal_id: u64,
    pub from_position: Position,
    pub to_position: Position,
    #[serde(with = "hex::serde")]
    pub root: Hash,
    /// Hash of the previous seal; zeros for the first.
    #[serde(with = "hex::serde")]
    pub previous_hash: Hash,
    #[serde(with = "hex::serde")]
    pub seal_hash: Hash,
    #[serde(with = "hex::serde")]
    pub public_key: [u8; 32],
    #[serde(with = "hex::serde")]
    pub signature: [u8; 64],
    pub sealed_at_micros: Micros,
}

/// Why a seal, or an event under it, is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("it does not follow the seal before it")]
    Order,
    #[error("its hash is not that of what it says")]
    Hash,
    #[error("its signature is not its key's")]
    Signature,
    #[error("the event's path does not lead to its root")]
    Path,
}

impl Seal {
    fn hash(&self) -> Hash {
        let mut whole = Sha256::new();
        whole.update([2]);
        whole.update(self.previous_hash);
        for number in [self.seal_id, self.from_position.0, self.to_position.0] {
            whole.update(number.to_be_bytes());
        }
        whole.update(self.sealed_at_micros.0.to_be_bytes());
        whole.update(self.root);
        whole.finalize().into()
    }

    /// Checks hash, signature, and that it follows `before`.
    pub fn check(&self, before: Option<&Self>) -> Result<(), SealError> {
        let (id, end, hash) = before.map_or((0, Position(0), GENESIS), |b| (b.seal_id, b.to_position, b.seal_hash));
        let follows = self.seal_id == id + 1 && self.from_position.0 == end.0 + 1 && self.previous_hash == hash;
        if !follows || self.to_position < self.from_position {
            return Err(SealError::Order);
        }
        self.check_alone()
    }

    /// Checks hash and signature.
    pub fn check_alone(&self) -> Result<(), SealError> {
        if self.hash() != self.seal_hash {
            return Err(SealError::Hash);
        }
        let key = UnparsedPublicKey::new(&ED25519, self.public_key);
        key.verify(&self.seal_hash, &self.signature).map_err(|_| SealError::Signature)
    }
}

/// An event with its seal: proves with the public key alone that the event, and the history of its stream up to it, is what
/// was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sealed {
    /// The event's version.
    pub version: Version,
    pub position: Position,
    #[serde(with = "hex::serde")]
    pub hash: Hash,
    /// The audit path from the event's leaf to the root, nearest first, as hex.
    pub path: Vec<String>,
    pub seal: Seal,
}

impl Sealed {
    /// `hashes` are those of all events that the seal covers, in order, including the event's.
    pub fn under(seal: Seal, hashes: &[Hash], (version, position, hash): (Version, Position, Hash)) -> Self {
        let leaves: Vec<Hash> =
            (seal.from_position.0..).zip(hashes).map(|(at, hash)| leaf(Position(at), hash)).collect();
        let index = usize::try_from(position.0.saturating_sub(seal.from_position.0)).unwrap_or(usize::MAX);
        let path = path(&leaves, index).iter().map(hex::encode).collect();
        Self { version, position, hash, path, seal }
    }

    /// Checks the seal's hash and signature, and that the path leads to its root.
    pub fn check(&self) -> Result<(), SealError> {
        self.seal.check_alone()?;
        let (from, to) = (self.seal.from_position.0, self.seal.to_position.0);
        let path = self.path.iter().map(|text| {
            let mut hash = GENESIS;
            let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
            hex::decode_to_slice(text, &mut hash).ok().filter(|()| lower).map(|()| hash)
        });
        let path: Vec<Hash> = path.collect::<Option<_>>().ok_or(SealError::Path)?;
        // The file is not trusted: larger trees are never created.
        let span = to.checked_sub(from).and_then(|span| usize::try_from(span).ok()).filter(|span| *span < MAX_EVENTS);
        let index = self.position.0.checked_sub(from).and_then(|index| usize::try_from(index).ok());
        let root = span.zip(index).filter(|(span, index)| index <= span);
        let root = root.and_then(|(span, index)| root_by(leaf(self.position, &self.hash), index, span + 1, &path));
        if root == Some(self.seal.root) { Ok(()) } else { Err(SealError::Path) }
    }
}

/// The signing key: Ed25519 as PKCS#8 PEM, as written by `openssl genpkey -algorithm ed25519`.
pub struct SealKey(Ed25519KeyPair);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key in PEM; create one with `openssl genpkey -algorithm ed25519`")]
pub struct BadSealKey;

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", hex::encode(self.public()))
    }
}

/// The bytes before the seed of an Ed25519 key in PKCS#8 (RFC 8410).
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

impl SealKey {
    pub fn from_pem(text: &str) -> Result<Self, BadSealKey> {
        let (label, der) = pem_rfc7468::decode_vec(text.as_bytes()).map_err(|_| BadSealKey)?;
        if label != "PRIVATE KEY" {
            return Err(BadSealKey);
        }
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Self).map_err(|_| BadSealKey)
    }

    /// A new key as PEM. Fails when the system provides no random bytes.
    pub fn generate_pem() -> Result<String, BadSealKey> {
        let seed: [u8; 32] = ring::rand::generate(&ring::rand::SystemRandom::new()).map_err(|_| BadSealKey)?.expose();
        let der = [&PKCS8_PREFIX[..], &seed].concat();
        pem_rfc7468::encode_string("PRIVATE KEY", pem_rfc7468::LineEnding::LF, &der).map_err(|_| BadSealKey)
    }

    /// The public key.
    pub fn public(&self) -> [u8; 32] {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.public_key().as_ref());
        key
    }

    /// Seals the positions after `before` up to `to`, at least one.
    pub fn seal(&self, before: Option<&Seal>, to: Position, root: Hash, sealed_at_micros: Micros) -> Seal {
        let (id, end, hash) = before.map_or((0, Position(0), GENESIS), |b| (b.seal_id, b.to_position, b.seal_hash));
        let mut seal = Seal {
            seal_id: id + 1,
            from_position: Position(end.0 + 1),
            to_position: to,
            root,
            previous_hash: hash,
            seal_hash: GENESIS,
            public_key: self.public(),
            signature: [0; 64],
            sealed_at_micros,
        };
        seal.seal_hash = seal.hash();
        seal.signature.copy_from_slice(self.0.sign(&seal.seal_hash).as_ref());
        seal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::root;

    fn key() -> SealKey {
        SealKey::from_pem(&SealKey::generate_pem().unwrap()).unwrap()
    }

    #[test]
    fn seals_are_chained_and_tampering_is_detected() {
        let key = key();
        let first = key.seal(None, Position(7), [7; 32], Micros(1));
        let second = key.seal(Some(&first), Position(9), [9; 32], Micros(2));
        assert_eq!((first.check(None), second.check(Some(&first))), (Ok(()), Ok(())));
        assert_eq!(second.check(None), Err(SealError::Order));
        let moved = Seal { to_position: Position(8), ..second.clone() };
        assert_eq!(moved.check(Some(&first)), Err(SealError::Hash));
        let (other, mut forged) = (self::key(), moved);
        forged.seal_hash = forged.hash();
        assert_eq!(forged.check(Some(&first)), Err(SealError::Signature));
        forged.public_key = other.public();
        assert_eq!(forged.check(Some(&first)), Err(SealError::Signature), "another key needs its own signature");
        let text = serde_json::to_string(&second).unwrap();
        assert_eq!(serde_json::from_str::<Seal>(&text).unwrap(), second);
    }

    #[test]
    fn an_event_is_proved_to_be_covered_by_a_seal() {
        let hashes: Vec<Hash> = (0..21).map(|n| [n; 32]).collect();
        let leaves: Vec<Hash> = (1..).zip(&hashes).map(|(at, hash)| leaf(Position(at), hash)).collect();
        let seal = key().seal(None, Position(21), root(&leaves), Micros(1));
        let sealed = Sealed::under(seal, &hashes, (Version(3), Position(17), [16; 32]));
        assert_eq!(sealed.check(), Ok(()));
        for other in [
            Sealed { hash: [15; 32], ..sealed.clone() },
            Sealed { position: Position(16), ..sealed.clone() },
            Sealed { position: Position(22), ..sealed.clone() },
            Sealed { path: vec!["zz".into()], ..sealed.clone() },
            Sealed { path: sealed.path.iter().map(|hash| hash.to_uppercase()).collect(), ..sealed.clone() },
        ] {
            assert_eq!(other.check(), Err(SealError::Path), "{other:?}");
        }
        // A valid signature over an impossible range.
        let key = key();
        let mut wide = key.seal(None, Position(u64::MAX), sealed.seal.root, Micros(1));
        wide.from_position = Position(0);
        wide.seal_hash = wide.hash();
        wide.signature.copy_from_slice(key.0.sign(&wide.seal_hash).as_ref());
        assert_eq!(Sealed { seal: wide, ..sealed }.check(), Err(SealError::Path));
    }

    #[test]
    fn a_key_of_openssl_is_read() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIB0lZAxc60g6m4C4ll5L3kvD489py39EGVFkxRmSuemi\n\
                   -----END PRIVATE KEY-----\n";
        let key = SealKey::from_pem(pem).unwrap();
        assert_eq!(hex::encode(key.public()), "21d8af44416b318595dbf220efbd15b905ab1e637bb5f4f7de7007ad595a2eb8");
        assert_eq!(SealKey::from_pem("nothing").unwrap_err(), BadSealKey);
    }
}
