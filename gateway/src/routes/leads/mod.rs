//! Routes of leads and of sectors.

pub mod create;
pub mod get;
pub mod list;
pub mod sectors;
pub mod update;
