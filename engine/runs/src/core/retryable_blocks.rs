//! The blocks that can be retried: failed ones, and completed ones with failed leads.
//!
//! The one part of a run that may grow large. Every decision clones the run, so the map is split into shards behind `Arc`:
//! a change copies one shard and shares the others.

use std::{collections::BTreeMap, sync::Arc};

use luci_schema::BlockId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::core::state::Block;

const SHARDS: usize = 64;

type Shard = Arc<BTreeMap<BlockId, Arc<Block>>>;

#[derive(Debug, Clone, Default)]
pub(super) struct RetryableBlocks {
    /// Empty until the first insert, then `SHARDS` long.
    shards: Arc<Vec<Shard>>,
}

impl RetryableBlocks {
    pub fn get(&self, id: BlockId) -> Option<&Block> {
        self.shards.get(shard(id))?.get(&id).map(Arc::as_ref)
    }

    pub fn iter(&self) -> impl Iterator<Item = (BlockId, &Block)> {
        self.shards.iter().flat_map(|shard| shard.iter()).map(|(id, block)| (*id, block.as_ref()))
    }

    pub fn insert(&mut self, id: BlockId, block: Block) {
        let shards = Arc::make_mut(&mut self.shards);
        if shards.is_empty() {
            shards.resize_with(SHARDS, Shard::default);
        }
        Arc::make_mut(&mut shards[shard(id)]).insert(id, Arc::new(block));
    }

    pub fn remove(&mut self, id: BlockId) -> Option<Block> {
        self.get(id)?;
        let shard = Arc::make_mut(&mut self.shards).get_mut(shard(id))?;
        Arc::make_mut(shard).remove(&id).map(Arc::unwrap_or_clone)
    }
}

/// By its blocks: shards that were emptied are not a difference.
impl PartialEq for RetryableBlocks {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for RetryableBlocks {}

/// Without its shards: one object by block id.
impl Serialize for RetryableBlocks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for RetryableBlocks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut blocks = Self::default();
        for (id, block) in BTreeMap::deserialize(deserializer)? {
            blocks.insert(id, block);
        }
        Ok(blocks)
    }
}

/// The low bits of a block id are random.
fn shard(id: BlockId) -> usize {
    (id.ulid().0 % SHARDS as u128) as usize
}
