//! Decides and works: the run core, the commands, the relay, the workers, the clock, the stages and their stores.

pub mod admin;
pub mod automation;
pub mod block;
pub mod blocks;
pub mod book;
pub mod broker;
pub mod clock;
pub mod enter;
pub mod failed_leads;
mod follow;
pub mod issue;
pub mod lead;
pub mod place;
pub mod provider;
mod providers;
pub mod relay;
pub mod run;
#[cfg(test)]
mod sample;
pub mod sealer;
pub mod sender;
pub mod start;
pub mod storage;
pub mod telemetry;
pub mod tenure;
pub mod webhooks;
pub mod worker;
