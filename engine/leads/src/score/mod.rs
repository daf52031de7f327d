//! The rules of SCORE: profiles, the setting that selects one, and tags.

pub mod check;
pub mod profile;
pub mod setting;
pub mod tags;
