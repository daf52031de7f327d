//! The tree over the log's events that seals are over: that of a certificate log (RFC 6962). SHA-256 throughout, a leaf being
//! `0x00 ‖ position, eight bytes, the highest first ‖ event's hash`, a node `0x01 ‖ left ‖ right`.

use sha2::{Digest, Sha256};

use crate::{Hash, Position, log::GENESIS};

/// An event in the tree.
pub fn leaf(position: Position, hash: &Hash) -> Hash {
    Sha256::new().chain_update([0]).chain_update(position.0.to_be_bytes()).chain_update(hash).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Where the tree over so many leaves, two or more, is split: the greatest power of two below.
const fn split(leaves: usize) -> usize {
    leaves.next_power_of_two() / 2
}

/// The root over the leaves; zeros over none.
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

/// What proves that a leaf is under the root, the nearest first; empty where `index` is no leaf.
pub fn path(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() < 2 || index >= leaves.len() {
        return Vec::new();
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut below, beside) =
        if index < at { (path(left, index), root(right)) } else { (path(right, index - at), root(left)) };
    below.push(beside);
    below
}

/// The root that a leaf has by its path; `None` when the path is not as long as the tree is deep there.
pub fn root_by(leaf: Hash, index: usize, leaves: usize, path: &[Hash]) -> Option<Hash> {
    if leaves < 2 {
        return (leaves == 1 && index == 0 && path.is_empty()).then_some(leaf);
    }
    let ((beside, below), at) = (path.split_last()?, split(leaves));
    if index < at {
        Some(node(&root_by(leaf, index, at, below)?, beside))
    } else {
        Some(node(beside, &root_by(leaf, index - at, leaves - at, below)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u64) -> Vec<Hash> {
        (1..=count).map(|n| leaf(Position(n), &[u8::try_from(n % 251).unwrap(); 32])).collect()
    }

    #[test]
    fn every_leaf_of_every_tree_is_proved_by_its_path_and_by_no_other() {
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
    fn the_tree_is_that_of_rfc_6962() {
        // The first three leaves of Certificate Transparency's own test data, which have no position.
        let of = |bytes: &[u8]| -> Hash { Sha256::new().chain_update([0]).chain_update(bytes).finalize().into() };
        let three = [of(b""), of(&[0]), of(&[0x10])];
        assert_eq!(hex::encode(root(&three)), "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
    }
}
