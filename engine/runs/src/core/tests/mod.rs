//! Tests of the core: tables of given, when, then, and properties over any sequence of commands and deliveries.

mod budget;
mod corrupt;
mod delivery;
mod ending;
mod fixture;
mod lifecycle;
mod property;
mod repair;
mod scenario;
