//! SKIP_TRACE by asynchronous batches: the sandbox posts their answers to the gateway.

mod fixture;
mod killed;
mod late;
mod refused;
mod whole;
