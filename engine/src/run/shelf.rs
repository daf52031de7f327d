//! Blocks laid by: failed ones, and completed ones with failed leads. It is the one part of a run that may grow long, and
//! every decision works on a copy of the run: so a change copies a small part of it and shares the rest.

use std::{collections::BTreeMap, sync::Arc};

use luci_schema::BlockId;

use super::state::Block;

/// Parts of the shelf; a change copies one of them.
const PARTS: usize = 64;

type Part = Arc<BTreeMap<BlockId, Arc<Block>>>;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Shelf {
    /// None before the first block is laid by, else `PARTS`.
    parts: Arc<Vec<Part>>,
}

impl Shelf {
    pub fn get(&self, id: BlockId) -> Option<&Block> {
        self.parts.get(part(id))?.get(&id).map(Arc::as_ref)
    }

    pub fn iter(&self) -> impl Iterator<Item = (BlockId, &Block)> {
        self.parts.iter().flat_map(|part| part.iter()).map(|(id, block)| (*id, block.as_ref()))
    }

    pub fn insert(&mut self, id: BlockId, block: Block) {
        let parts = Arc::make_mut(&mut self.parts);
        if parts.is_empty() {
            parts.resize_with(PARTS, Part::default);
        }
        Arc::make_mut(&mut parts[part(id)]).insert(id, Arc::new(block));
    }

    pub fn remove(&mut self, id: BlockId) -> Option<Block> {
        self.get(id)?;
        let part = Arc::make_mut(&mut self.parts).get_mut(part(id))?;
        Arc::make_mut(part).remove(&id).map(Arc::unwrap_or_clone)
    }
}

/// The low bits of a block id are random.
fn part(id: BlockId) -> usize {
    (id.ulid().0 % PARTS as u128) as usize
}
