//! Live streams: one feed a process, a fan-out with bounded queues, and watchers that start from a snapshot.
//!
//! What a watcher is promised: a snapshot, then every event after the position it named (or the snapshot's), each
//! once and in order. One that cannot keep up is told to resume from where it is, and never fed stale data.

pub mod feed;
pub mod frame;
pub mod hub;
pub mod snapshot;
pub mod watcher;

pub use hub::{Hub, Topic};
pub use watcher::{Step, Watcher};
