//! Messages and calls: pure rules (`rules`), tables (`store`), what happens to a number (`recipients`) and to a send that was
//! reported on (`reports`), outside carriers (`carriers`), the sender (`sender`), provider callbacks (`webhooks`), and
//! what people suppress, outside the database (`suppression_journal`).

pub mod carriers;
pub mod recipients;
mod reports;
pub mod rules;
pub mod sender;
pub mod store;
pub mod suppression_journal;
pub mod webhooks;
