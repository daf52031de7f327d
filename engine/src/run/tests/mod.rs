//! What the core promises: tables of given, when, then, and properties over any sequence of commands and deliveries.

mod budget;
mod delivery;
mod ending;
mod given;
mod lifecycle;
mod property;
mod repair;
mod story;
