//! Routes of the browser session: a cookie that scripts cannot read.

pub mod close;
pub mod get;
pub mod open;
