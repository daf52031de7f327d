//! SignalHouse: credentials and address only. It carries messages; the requests are made by the messaging crate.

use crate::{
    descriptor::{Descriptor, env_names},
    name::ProviderName,
    provider::{Capabilities, Provider, SendApi},
};

const URL: &str = "https://api.signalhouse.io/api/v1";

static DESCRIPTOR: Descriptor = Descriptor {
    account: Some("the API key; the key itself is the auth token"),
    ..Descriptor::new("signalhouse", env_names!("SIGNALHOUSE"), URL)
};

impl ProviderName {
    pub const SIGNALHOUSE: Self = Self::new(&DESCRIPTOR);
}

pub static PROVIDER: Provider = Provider {
    name: ProviderName::SIGNALHOUSE,
    capabilities: Capabilities { send: Some(SendApi { default_url: URL }), ..Capabilities::NONE },
};
