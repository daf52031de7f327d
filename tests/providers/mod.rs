//! The adapters against the sandbox, over HTTP and with answers stored in Postgres.

mod asking;
mod contract;
mod faults;
mod filing;
mod ground;
mod limits;
mod queues;
mod storm;
