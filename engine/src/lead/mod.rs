//! A lead: how it is read from a row, made tidy, judged, scored and placed. Plain functions over plain data: no IO, no clock.

pub mod amount;
pub mod channel;
pub mod csv_row;
pub mod csv_text;
pub mod dedupe;
pub mod email;
pub mod file_header;
mod flat;
pub mod header;
pub mod identity;
pub mod intake;
pub mod judge;
pub mod keys;
pub mod line;
pub mod lineage;
pub mod merge;
pub mod message;
pub mod name;
pub mod parts;
pub mod phone;
pub mod place;
pub mod profile;
pub mod qualify;
pub mod raw_row;
pub mod record;
pub mod score;
pub mod sector;
pub mod status;
pub mod tags;
pub mod title;
pub mod upload;

pub use header::Field;
pub use identity::lead_id;
pub use parts::{Address, Phone, PhoneKind, Range};
pub use record::Lead;
