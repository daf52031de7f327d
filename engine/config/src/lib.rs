//! Configuration of tenants: one file per table, with its writes and reads. A change and its event are one transaction; the
//! event is appended last.

pub mod actors;
pub mod automations;
pub mod blueprints;
pub mod change;
pub mod history_reads;
pub mod installation_key;
pub mod keys;
pub mod role;
pub mod secret;
pub mod sessions;
pub mod tenants;
pub mod vault;
pub mod views;

pub use crate::change::{AdminError, By};
pub use crate::role::{Right, Role};
