//! A block's place among those that a process works on: left while the block only waits for what others do.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// A place, or none: a block that is run without a worker has nothing to give up.
#[derive(Debug)]
pub struct Place {
    working: Option<Arc<Semaphore>>,
    held: Mutex<Vec<OwnedSemaphorePermit>>,
    aside: watch::Sender<bool>,
}

impl Default for Place {
    fn default() -> Self {
        Self { working: None, held: Mutex::default(), aside: watch::Sender::new(false) }
    }
}

impl Place {
    /// Waits for a place in `working`; `slot` is given up with it. `None` once the worker has ended.
    pub async fn take(working: &Arc<Semaphore>, slot: Option<OwnedSemaphorePermit>) -> Option<Self> {
        let place = Arc::clone(working).acquire_owned().await.ok()?;
        let held = Mutex::new(slot.into_iter().chain([place]).collect());
        Some(Self { working: Some(Arc::clone(working)), held, aside: watch::Sender::new(false) })
    }

    /// Waits without the place, and for one afterwards.
    pub async fn aside<T>(&self, wait: impl Future<Output = T>) -> T {
        self.hold(Vec::new());
        self.aside.send_replace(true);
        let waited = wait.await;
        self.aside.send_replace(false);
        if let Some(working) = &self.working
            && let Ok(place) = Arc::clone(working).acquire_owned().await
        {
            self.hold(vec![place]);
        }
        waited
    }

    /// Until the block waits aside.
    pub async fn left(&self) {
        let mut aside = self.aside.subscribe();
        // The sender is ours: it is there as long as we are.
        let _there = aside.wait_for(|aside| *aside).await;
    }

    fn hold(&self, permits: Vec<OwnedSemaphorePermit>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = permits;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn others_work_while_a_block_waits_aside() {
        let (working, room) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
        let slot = Arc::clone(&room).acquire_owned().await.ok();
        let place = Place::take(&working, slot).await.unwrap();
        assert_eq!((working.available_permits(), room.available_permits()), (0, 0));
        assert!(place.left().now_or_never().is_none());
        place.aside(async { assert_eq!((working.available_permits(), room.available_permits()), (1, 1)) }).await;
        assert_eq!(
            (working.available_permits(), room.available_permits()),
            (0, 1),
            "its place again, its slot no more"
        );
        drop(place);
        assert_eq!(working.available_permits(), 1);
    }
}
