//! Traces over OTLP: what a collector receives, and what becomes of a caller's trace context.

mod collector;
mod context;
mod sends;
mod whole;
