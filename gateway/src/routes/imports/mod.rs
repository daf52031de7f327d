//! Routes of imports: uploads, the list of imports, and the objects of the local store.

pub mod announce_upload;
pub mod blobs;
pub mod complete_upload;
pub mod correct_layout;
pub mod create;
pub mod csv_file;
pub mod get;
pub mod list;
pub mod new_upload;
pub mod parts;
pub mod read_options;
pub mod record;
