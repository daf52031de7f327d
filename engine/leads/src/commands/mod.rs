//! Changes that callers make to leads, sectors and scoring profiles. Each change and its event are one transaction.

pub mod default_sectors;
pub mod new_leads;
pub mod scoring_profiles;
pub mod sectors;
pub mod statuses;
