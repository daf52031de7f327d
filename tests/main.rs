//! Integration tests: one binary, so that they share one Postgres.

mod audit;
mod auditor;
mod binary;
mod blocks;
mod chaos;
mod cli;
mod crash;
mod docs;
mod erasure;
mod evidence;
mod flow;
mod gateway;
mod issuer;
mod log;
mod monitor;
mod nats;
mod otlp;
mod page;
mod projections;
mod providers;
mod sender;
mod start;
mod support;
mod tidy;
mod topology;
mod traces;
