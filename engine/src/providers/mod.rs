//! Providers outside, one file an API, over one way of asking and one way of calling.

mod apollo;
mod ask;
mod call;
mod fields;
mod name;
mod realestate;
mod results;

pub(crate) use apollo::Apollo;
pub(crate) use ask::Asker;
pub(crate) use call::Caller;
pub use name::{ProviderName, UnknownProvider};
pub(crate) use realestate::RealEstate;
