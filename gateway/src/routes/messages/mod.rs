//! Routes of messaging: messages and drafts, templates, suppressions, holds, send settings, attempts, webhooks
//! and those that were not understood.

pub mod approve;
pub mod attempts;
pub mod drafts;
pub mod holds;
pub mod list;
pub mod receive_webhook;
pub mod reject;
pub mod review;
pub mod sending;
pub mod suppressions;
pub mod templates;
pub mod unread_webhooks;
