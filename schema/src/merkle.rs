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

/// The nodes that lead from several leaves to the root: the roots of the subtrees that contain none of them, from left to
/// right. `own` are the leaves' indices, rising; those beyond the last leaf are ignored.
pub fn nodes(leaves: &[Hash], own: &[usize]) -> Vec<Hash> {
    let mut found = Vec::new();
    collect_nodes(leaves, 0, own, &mut found);
    found
}

fn collect_nodes(leaves: &[Hash], first: usize, own: &[usize], found: &mut Vec<Hash>) {
    match leaves {
        [] => {}
        _ if own.is_empty() => found.push(root(leaves)),
        [_] => {}
        _ => {
            let at = split(leaves.len());
            let (left, right) = leaves.split_at(at);
            let (own_left, own_right) = own.split_at(own.partition_point(|index| *index < first + at));
            collect_nodes(left, first, own_left, found);
            collect_nodes(right, first + at, own_right, found);
        }
    }
}

/// The root computed from several leaves with their rising indices, and `nodes`. `None` when there are too few or too many
/// nodes, or an index is out of range.
pub fn root_of(own: &[(usize, Hash)], leaves: usize, nodes: &[Hash]) -> Option<Hash> {
    if own.is_empty() || own.last().is_some_and(|(index, _)| *index >= leaves) {
        return None;
    }
    let mut nodes = nodes.iter();
    let root = subtree_root(own, 0, leaves, &mut nodes)?;
    nodes.next().is_none().then_some(root)
}

fn subtree_root(
    own: &[(usize, Hash)],
    first: usize,
    leaves: usize,
    nodes: &mut std::slice::Iter<'_, Hash>,
) -> Option<Hash> {
    match own {
        [] => nodes.next().copied(),
        [(_, leaf)] if leaves == 1 => Some(*leaf),
        _ if leaves < 2 => None,
        _ => {
            let at = split(leaves);
            let (left, right) = own.split_at(own.partition_point(|(index, _)| *index < first + at));
            let left = subtree_root(left, first, at, nodes)?;
            Some(node(&left, &subtree_root(right, first + at, leaves - at, nodes)?))
        }
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
    fn several_leaves_are_proved_by_the_subtrees_without_them() {
        for count in 1..=9_usize {
            let leaves = leaves(count as u64);
            for chosen in 1..1_usize << count {
                let own: Vec<usize> = (0..count).filter(|index| chosen >> index & 1 == 1).collect();
                let nodes = nodes(&leaves, &own);
                let with: Vec<(usize, Hash)> = own.iter().map(|index| (*index, leaves[*index])).collect();
                assert_eq!(root_of(&with, count, &nodes), Some(root(&leaves)), "{own:?} of {count}");
                let mut other = with.clone();
                other[0].1 = [9; 32];
                assert_ne!(root_of(&other, count, &nodes), Some(root(&leaves)));
                assert_eq!(root_of(&with, count, &[&nodes[..], &[[0; 32]]].concat()), None, "a node too many");
            }
        }
        assert_eq!(root_of(&[(3, [0; 32])], 3, &[]), None);
    }

    #[test]
    fn the_root_equals_that_of_rfc_6962() {
        // The first three leaves of Certificate Transparency's test data, which have no position.
        let of = |bytes: &[u8]| -> Hash { Sha256::new().chain_update([0]).chain_update(bytes).finalize().into() };
        let three = [of(b""), of(&[0]), of(&[0x10])];
        assert_eq!(hex::encode(root(&three)), "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
    }
}
