//! The connection of a request.

use std::{net::IpAddr, sync::Arc};

use tokio::sync::OwnedSemaphorePermit;

/// A stream holds it too, so that it counts against the connection limit.
#[derive(Clone)]
pub struct Connection {
    /// The other end: a caller, or the proxy before the gateway.
    pub peer: IpAddr,
    /// Dropping the last clone returns the permit.
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Connection {
    pub fn new(peer: IpAddr, permit: OwnedSemaphorePermit) -> Self {
        Self { peer, _permit: Arc::new(permit) }
    }
}
