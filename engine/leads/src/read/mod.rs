//! Reading leads: CSV bytes to rows, rows to raw leads, JSON of an API call to leads.

pub mod csv_row;
pub mod csv_text;
pub mod export_columns;
pub mod file_header;
pub mod json_row;
pub mod mapping;
pub mod raw_row;
pub mod upload;
