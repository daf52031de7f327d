//! The seven stages on real rows: what goes in comes out or is accounted for, and doing a block twice is doing it once.

mod book;
mod duplicates;
pub mod ground;
mod providers;
mod push;
mod sources;
mod stages;
