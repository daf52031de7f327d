//! What must survive a kill -9, a wiped broker and a cut connection.

mod appenders;
mod broker;
mod children;
mod engine;
mod evidence;
mod fixture;
mod objects;
mod payments;
mod restore;
pub mod sends;
mod store;
