//! The promises, checked from outside: one binary, so that the tests share one Postgres.

mod blocks;
mod flow;
mod gateway;
mod issuer;
mod log;
mod providers;
mod support;
