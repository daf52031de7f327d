//! One delivery of a block at a time in this process. A broker that was lost delivers again what is in hand here: the second
//! delivery waits, finds the block settled, and nothing is asked of a provider twice.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use luci_schema::BlockId;
use tokio::sync::OwnedMutexGuard;

type Waiting = HashMap<BlockId, Arc<tokio::sync::Mutex<()>>>;

/// The blocks in hand.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<Waiting>);

/// Held while a delivery of the block is worked on.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    block: BlockId,
    _held: OwnedMutexGuard<()>,
}

impl Turns {
    /// Waits for the deliveries of this block that came before.
    pub(super) async fn of(&self, block: BlockId) -> Turn<'_> {
        let turn = Arc::clone(self.waiting().entry(block).or_default());
        Turn { turns: self, block, _held: turn.lock_owned().await }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut waiting = self.turns.waiting();
        // The list's and ours: nobody else waits.
        if waiting.get(&self.block).is_some_and(|turn| Arc::strong_count(turn) <= 2) {
            waiting.remove(&self.block);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn the_second_waits_for_the_first_and_nothing_is_left() {
        let (turns, block) = (Turns::default(), BlockId::generate());
        let first = turns.of(block).await;
        assert!(turns.of(BlockId::generate()).now_or_never().is_some(), "another block need not wait");
        let mut second = Box::pin(turns.of(block));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        drop(second.await);
        assert!(turns.waiting().is_empty());
    }
}
