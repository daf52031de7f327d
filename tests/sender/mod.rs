//! The sender against carriers over HTTP: what is sent, what is not, and what is never sent again.

mod calls;
mod carriers;
mod faults;
pub mod fixture;
mod limits;
mod numbers;
mod reports;
mod retargets;
mod sending;
