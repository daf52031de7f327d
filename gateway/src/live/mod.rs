//! Live streams: one feed a process, a fan-out with bounded queues, and watchers that start with a snapshot.
//!
//! Guarantee: a watcher gets a snapshot, then every event after the requested position (or that of the snapshot), each once
//! and in order. A watcher that is too slow gets a `resume` frame with its position and is disconnected.

pub mod feed;
pub mod frame;
pub mod hub;
pub mod snapshot;
pub mod watcher;

pub use hub::{Hub, Topic};
pub use watcher::{Opening, Step, Watcher};
