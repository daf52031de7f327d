//! The list of providers. A new one is a file here with its `Descriptor`, its `mod` line and its entry in `ALL`.

pub mod apollo;
pub mod realestate;
pub mod signalhouse;
pub mod tracerfy;
pub mod trestle;
pub mod twilio;

use crate::ProviderName;

impl ProviderName {
    /// The first entry with a capability is the default for it (`Capability::default_provider`): add new ones at the end.
    pub const ALL: &'static [Self] =
        &[Self::APOLLO, Self::REALESTATE, Self::TRACERFY, Self::TRESTLE, Self::TWILIO, Self::SIGNALHOUSE];
}
