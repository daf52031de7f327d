//! Runs: a pure core that decides (`core`), and around it the code that issues commands, publishes the log, executes blocks
//! and keeps time. Knows nothing about leads or providers.

pub mod block;
pub mod broker;
pub mod clock;
pub mod core;
pub mod folded_runs;
mod follow;
pub mod issue;
pub mod lease_guard;
pub mod relay;
mod retry_pause;
pub mod seal_bucket;
pub mod seal_history;
pub mod seal_memory;
pub mod seal_stream;
pub mod seal_witness;
pub mod sealer;
pub mod store_claim;
pub mod stored_objects;
pub mod telemetry;
pub mod worker;
pub mod worker_permit;
