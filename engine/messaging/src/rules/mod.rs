//! The rules of messaging: plain functions and types without IO or clock.

pub mod carrier;
pub mod channel;
pub mod context;
pub mod delivery_status;
pub mod message;
pub mod message_status;
pub mod opener;
pub mod party;
pub mod refusal;
pub mod reply;
pub mod retarget;
pub mod safe_text;
pub mod segments;
pub mod send_id;
pub mod send_window;
pub mod webhook_source;
pub mod zones;
