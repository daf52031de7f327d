//! Routes of the process itself: sessions, credentials for NATS, health, metrics, API document, dashboard.

pub mod api_document;
pub mod audit;
pub mod dashboard;
pub mod get;
pub mod health;
pub mod metrics;
pub mod nats_credentials;
pub mod readiness;
pub mod session;
