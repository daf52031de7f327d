//! Routes of configuration: blueprints, automations, keys, providers, scoring profiles, webhook tokens, saved views.

pub mod automations;
pub mod blueprints;
pub mod keys;
pub mod providers;
pub mod scoring_profiles;
pub mod views;
pub mod webhook_tokens;
