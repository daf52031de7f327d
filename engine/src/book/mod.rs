//! The tables of leads' business: one file a table, its writes and its reads. The tenant comes first everywhere.

pub mod attempts;
pub mod contacts;
pub mod default_sectors;
pub mod dialer_queue;
pub mod imports;
pub mod lead_keys;
pub mod leads;
pub mod sectors;
pub mod sends;
pub mod sms_queue;
pub mod suppressions;
