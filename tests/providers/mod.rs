//! The adapters against the sandbox, over HTTP and with answers stored in Postgres.

mod asking;
mod faults;
mod ground;
mod limits;
