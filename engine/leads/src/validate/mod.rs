//! The rules of VALIDATE: cells to fields, what a row needs to be a lead, and which rows are duplicates.

pub mod check;
pub mod contact;
pub mod dedupe;
pub mod keys;
pub mod place;
pub mod row;
