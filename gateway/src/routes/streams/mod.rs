//! Routes of the histories of streams: not only runs, but imports, keys, automations, webhooks and the tenant have one.

pub mod events;
