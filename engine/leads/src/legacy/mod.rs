//! What the older platform left: its object keys and where their objects go, its buckets, and the answers to uploads of its clients.

mod bucket_sectors;
pub mod key;
pub mod manifest;
pub mod migrate;
pub mod new_key;
pub mod property_buckets;
pub mod resolve;
pub mod storage_path;
pub mod upload_counts;
