//! SKIP_TRACE by hand-over: leads go to the sandbox in batches, which posts their answers to the gateway.

mod ground;
mod killed;
mod late;
mod refused;
mod whole;
