//! Leads: read from rows, normalised, validated, deduplicated, enriched, scored and assigned to sectors; and the tables that
//! hold them. Only `store`, `ingest`, `commands` and `failed_leads` do IO; all else is plain functions over plain data.

pub mod assign;
pub mod commands;
pub mod country;
pub mod enrich;
pub mod failed_leads;
pub mod ingest;
pub mod lead;
pub mod legacy;
pub mod normalise;
pub mod read;
pub mod results;
pub mod score;
pub mod store;
pub mod validate;

pub use crate::lead::{
    Lead,
    field::Field,
    identity::lead_id,
    parts::{Address, Phone, PhoneKind, Range},
};
