//! Providers outside, one file an API, over one way of asking and one way of calling.

pub mod account;
mod apollo;
mod ask;
mod breaker;
mod call;
pub mod choice;
mod config;
mod fields;
pub mod limits;
mod name;
mod organizations;
pub mod phones;
pub mod price;
mod realestate;
mod results;
mod send;
mod signalhouse;
mod spending;
pub mod tracerfy;
mod twilio;
pub mod weather;

pub(crate) use apollo::Apollo;
pub(crate) use ask::Asker;
use breaker::Breaker;
pub(crate) use call::{Caller, client};
pub use config::{BreakerPolicy, Limits, ProvidersConfig, RetryPolicy, Site};
pub use name::{ProviderName, UnknownProvider};
pub use organizations::{OrganizationQuery, Organizations};
pub(crate) use realestate::RealEstate;
pub use realestate::async_item;
pub(crate) use send::{Accepted, SendError};
pub use signalhouse::SignalHouseAccess;
pub(crate) use signalhouse::{Outgoing, SignalHouse};
pub use twilio::TwilioAccess;
pub(crate) use twilio::{Dialled, Twilio};
