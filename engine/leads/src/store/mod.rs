//! The tables of leads: one module per table, with all its writes. The tenant comes first in every function.

pub mod contacts;
pub mod import_mappings;
pub mod import_starts;
pub mod imports;
pub mod lead_keys;
pub mod leads;
pub mod old_uploads;
pub mod scoring_profiles;
pub mod sector_lists;
pub mod sectors;
pub mod suppressions;
