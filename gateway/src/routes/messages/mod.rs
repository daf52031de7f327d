//! Routes of messaging: messages and drafts, templates, suppressions, send settings, attempts, webhooks.

pub mod approve;
pub mod attempts;
pub mod drafts;
pub mod list;
pub mod receive_webhook;
pub mod reject;
pub mod review;
pub mod sending;
pub mod suppressions;
pub mod templates;
