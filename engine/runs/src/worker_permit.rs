//! The permit of a block among those that a process executes at once; released while the block only waits.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The default holds no permit: for a block that is run without a worker.
#[derive(Debug)]
pub struct WorkerPermit {
    workers: Option<Arc<Semaphore>>,
    held: Mutex<Vec<OwnedSemaphorePermit>>,
    released: watch::Sender<bool>,
}

impl Default for WorkerPermit {
    fn default() -> Self {
        Self { workers: None, held: Mutex::default(), released: watch::Sender::new(false) }
    }
}

impl WorkerPermit {
    /// Waits for a permit of `workers`; `pulled`, the permit of the pulled delivery, is released with it. `None` once the
    /// semaphore is closed.
    pub async fn acquire(workers: &Arc<Semaphore>, pulled: Option<OwnedSemaphorePermit>) -> Option<Self> {
        let permit = Arc::clone(workers).acquire_owned().await.ok()?;
        let held = Mutex::new(pulled.into_iter().chain([permit]).collect());
        Some(Self { workers: Some(Arc::clone(workers)), held, released: watch::Sender::new(false) })
    }

    /// Releases the permit, awaits `wait`, and acquires a permit again.
    pub async fn release_while<T>(&self, wait: impl Future<Output = T>) -> T {
        self.hold(Vec::new());
        self.released.send_replace(true);
        let output = wait.await;
        self.released.send_replace(false);
        if let Some(workers) = &self.workers
            && let Ok(permit) = Arc::clone(workers).acquire_owned().await
        {
            self.hold(vec![permit]);
        }
        output
    }

    /// Returns once the block is in `release_while`.
    pub async fn released(&self) {
        let mut released = self.released.subscribe();
        // Fails only when the sender is dropped, and `self` owns it.
        let _ = released.wait_for(|released| *released).await;
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
    async fn the_permit_is_free_while_its_block_waits() {
        let (workers, pulls) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
        let available = || (workers.available_permits(), pulls.available_permits());
        let pulled = Arc::clone(&pulls).acquire_owned().await.ok();
        let permit = WorkerPermit::acquire(&workers, pulled).await.unwrap();
        assert_eq!(available(), (0, 0));
        assert!(permit.released().now_or_never().is_none());
        permit.release_while(async { assert_eq!(available(), (1, 1)) }).await;
        assert_eq!(available(), (0, 1), "the worker permit is held again, the pulled one is not");
        drop(permit);
        assert_eq!(workers.available_permits(), 1);
    }
}
