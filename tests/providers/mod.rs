//! The adapters against the sandbox, over HTTP and with answers stored in Postgres.

mod contract;
mod faults;
mod fixture;
mod limits;
mod lookups;
mod queues;
mod result_writer;
mod storm;
