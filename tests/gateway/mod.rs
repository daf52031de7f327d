//! The gateway as its callers see it, on a whole system.

mod automations;
mod blueprints;
mod bulk;
mod commands;
mod compare;
mod costs;
pub mod deliveries;
mod failed;
mod fairness;
pub mod ground;
mod imports;
mod keys;
mod leads;
mod messages;
mod new_leads;
mod orchestrate;
mod page;
mod providers;
mod reads;
mod scoring;
mod sectors;
mod start;
mod streams;
mod tenancy;
mod transport;
mod triggers;
mod webhooks;
