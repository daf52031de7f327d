//! Reading leads: CSV bytes to rows, rows to raw leads, JSON of an API call to leads.

mod address_columns;
pub mod contact_stats;
pub mod csv_row;
pub mod csv_text;
pub mod encoding;
pub mod erased_row;
pub mod export_columns;
pub mod file_header;
pub mod formula_guard;
mod header_words;
pub mod json_row;
pub mod layout;
pub mod mapping;
mod numbers_abroad;
pub mod preview;
mod quoting;
pub mod raw_row;
pub mod record;
mod skip;
pub mod upload;
#[cfg(test)]
mod whole_files;
