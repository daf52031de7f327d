//! Messages and calls: pure rules (`rules`), tables (`store`), outside carriers (`carriers`), the sender (`sender`), and
//! provider callbacks (`webhooks`).

pub mod carriers;
pub mod rules;
pub mod sender;
pub mod store;
pub mod webhooks;
