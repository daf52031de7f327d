//! The users of LUCI's processes at nats-server: what each may do, how it signs in, and the server's configuration.

mod access;
mod server_config;
mod users;

pub use access::{BrokerAccess, ClientAccess};
pub use server_config::{ACCOUNT, Clients, Passwords, accounts};
pub use users::{BrokerUser, Permissions};
