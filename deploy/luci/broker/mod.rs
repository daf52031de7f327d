//! The users of LUCI's processes at nats-server: what each may do, how it signs in, and the server's configuration.

mod access;
mod jwt_config;
mod server_config;
mod users;

pub use access::{BrokerAccess, ClientAccess};
pub use jwt_config::{OperatorMode, operator_mode};
pub use server_config::{ACCOUNT, Clients, Passwords, accounts};
pub use users::{BrokerUser, Permissions};
