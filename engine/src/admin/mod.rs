//! Configuration: one file a table, its writes and its reads. A change and its event are one transaction, the event last.

pub mod actors;
pub mod automations;
pub mod blueprints;
pub mod change;
pub mod credentials;
pub mod keys;
pub mod leads;
pub mod new_leads;
pub mod prices;
pub mod role;
pub mod scoring;
pub mod secret;
pub mod sectors;
pub mod sending;
pub mod sessions;
pub mod templates;
pub mod tenants;
pub mod vault;
pub mod webhook_events;
pub mod webhook_tokens;

pub use change::{AdminError, By};
pub use role::{Right, Role};
