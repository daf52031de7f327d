//! The sender against carriers over HTTP: what goes out, what does not, and what is never sent again.

mod calls;
mod carriers;
pub mod ground;
mod limits;
mod reports;
mod retargets;
mod sending;
