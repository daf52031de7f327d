//! One mutex per block: deliveries of the same block run one after another in this process. A broker that lost its memory
//! delivers again what is in progress; the second delivery waits, finds the block done, and no provider is called twice.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use luci_schema::BlockId;
use tokio::sync::OwnedMutexGuard;

type Locks = HashMap<BlockId, Arc<tokio::sync::Mutex<()>>>;

/// The locks of blocks in progress.
#[derive(Debug, Default)]
pub(super) struct BlockLocks(Mutex<Locks>);

/// Held while a delivery of the block is handled.
pub(super) struct BlockLock<'a> {
    locks: &'a BlockLocks,
    block: BlockId,
    _guard: OwnedMutexGuard<()>,
}

impl BlockLocks {
    /// Waits for earlier deliveries of this block.
    pub(super) async fn lock(&self, block: BlockId) -> BlockLock<'_> {
        let mutex = Arc::clone(self.locks().entry(block).or_default());
        BlockLock { locks: self, block, _guard: mutex.lock_owned().await }
    }

    fn locks(&self) -> MutexGuard<'_, Locks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for BlockLock<'_> {
    fn drop(&mut self) {
        let mut locks = self.locks.locks();
        // Two references, the map's and this guard's: nobody else waits.
        if locks.get(&self.block).is_some_and(|mutex| Arc::strong_count(mutex) <= 2) {
            locks.remove(&self.block);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn the_second_waits_for_the_first_and_no_lock_is_left() {
        let (locks, block) = (BlockLocks::default(), BlockId::generate());
        let first = locks.lock(block).await;
        assert!(locks.lock(BlockId::generate()).now_or_never().is_some(), "another block need not wait");
        let mut second = Box::pin(locks.lock(block));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        drop(second.await);
        assert!(locks.locks().is_empty());
    }
}
