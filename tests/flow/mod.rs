//! Relay, workers and clock against a real log and a real broker, which is stopped and wiped under them.

mod clock;
mod ground;
mod relay;
mod worker;
