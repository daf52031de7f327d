//! The tables of messaging. All writes of a table are in one file: of a queue and of the attempt log in its `table.rs`.

pub mod attempts;
pub mod claimed_send;
pub mod dialer_queue;
pub mod early_reports;
pub mod number_holds;
pub mod remaining_quota;
pub mod restored_sends;
pub mod send_batch;
pub mod send_countries;
pub mod send_settings;
pub mod sender_numbers;
pub mod sends;
pub mod sms_queue;
pub mod templates;
pub mod webhook_events;
pub mod webhook_tokens;
