//! Relay, workers and clock against a real log and a real broker, which is stopped and wiped under them.

mod clock;
pub mod fixture;
mod housekeeping;
mod lossy;
mod lost_blocks;
mod process;
mod relay;
mod relay_limits;
mod relay_repair;
mod restored;
mod scrub;
mod seal_witness;
mod sealer;
mod stages;
mod worker;
