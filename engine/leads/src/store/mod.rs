//! The tables of leads: one module per table, with all its writes. The tenant comes first in every function.

pub mod contacts;
pub mod import_mappings;
pub mod import_starts;
pub mod imports;
pub mod lead_keys;
pub mod leads;
pub mod legacy_objects;
pub mod legacy_uploads;
pub mod old_uploads;
pub mod property_buckets;
pub mod scoring_profiles;
pub mod sector_lists;
pub mod sectors;
pub mod suppressions;
