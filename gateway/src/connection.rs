//! The connection of a request.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

/// A stream holds it too, so that it counts against the connection limit.
#[derive(Clone)]
pub struct Connection {
    /// Dropping the last clone returns the permit.
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Connection {
    pub fn new(permit: Arc<OwnedSemaphorePermit>) -> Self {
        Self { _permit: permit }
    }
}
