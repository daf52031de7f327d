//! The Merkle tree that seals cover: that of Certificate Transparency (RFC 6962). Hashes are SHA-256; a leaf is the hash of
//! `0x00 ‖ position as big-endian u64 ‖ event's hash`, a node that of `0x01 ‖ left ‖ right`.

use sha2::{Digest, Sha256};

use crate::{Hash, Position, recorded::GENESIS};

/// The leaf of an event.
pub fn leaf(position: Position, hash: &Hash) -> Hash {
    Sha256::new().chain_update([0]).chain_update(position.0.to_be_bytes()).chain_update(hash).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The size of the left subtree over two or more leaves: the greatest power of two below their number.
const fn split(leaves: usize) -> usize {
    leaves.next_power_of_two() / 2
}

/// The root over the leaves; all zeros for none.
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => GENESIS,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root(left), &root(right))
        }
    }
}

/// The audit path of a leaf, nearest sibling first; empty when `index` is out of range.
pub fn path(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() < 2 || index >= leaves.len() {
        return Vec::new();
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut path, sibling) =
        if index < at { (path(left, index), root(right)) } else { (path(right, index - at), root(left)) };
    path.push(sibling);
    path
}

/// The root computed from a leaf and its audit path; `None` when the path has the wrong length.
pub fn root_by(leaf: Hash, index: usize, leaves: usize, path: &[Hash]) -> Option<Hash> {
    if leaves < 2 {
        return (leaves == 1 && index == 0 && path.is_empty()).then_some(leaf);
    }
    let ((sibling, path), at) = (path.split_last()?, split(leaves));
    if index < at {
        Some(node(&root_by(leaf, index, at, path)?, sibling))
    } else {
        Some(node(sibling, &root_by(leaf, index - at, leaves - at, path)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u64) -> Vec<Hash> {
        (1..=count).map(|n| leaf(Position(n), &[u8::try_from(n % 251).unwrap(); 32])).collect()
    }

    #[test]
    fn every_leaf_is_proved_by_its_own_path_only() {
        for count in 1..=33_u64 {
            let (leaves, size) = (leaves(count), usize::try_from(count).unwrap());
            for index in 0..size {
                let proof = path(&leaves, index);
                assert_eq!(root_by(leaves[index], index, size, &proof), Some(root(&leaves)), "{index} of {count}");
                assert_ne!(root_by([9; 32], index, size, &proof), Some(root(&leaves)));
                assert_eq!(root_by(leaves[index], index, size, &[&proof[..], &[[0; 32]]].concat()), None);
            }
        }
    }

    #[test]
    fn the_root_equals_that_of_rfc_6962() {
        // The first three leaves of Certificate Transparency's test data, which have no position.
        let of = |bytes: &[u8]| -> Hash { Sha256::new().chain_update([0]).chain_update(bytes).finalize().into() };
        let three = [of(b""), of(&[0]), of(&[0x10])];
        assert_eq!(hex::encode(root(&three)), "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
    }
}
