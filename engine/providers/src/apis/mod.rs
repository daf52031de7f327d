//! The list of providers. A new one is a file here with its `Provider`, its `mod` line and its entry in `ALL`.

pub mod apollo;
pub mod realestate;
pub mod signalhouse;
pub mod tracerfy;
pub mod trestle;
pub mod twilio;

use crate::provider::Provider;

/// The first entry with a capability is the default for it (`Capability::choose`): add new ones at the end.
pub static ALL: &[&Provider] = &[
    &apollo::PROVIDER,
    &realestate::PROVIDER,
    &tracerfy::PROVIDER,
    &trestle::PROVIDER,
    &twilio::PROVIDER,
    &signalhouse::PROVIDER,
];
