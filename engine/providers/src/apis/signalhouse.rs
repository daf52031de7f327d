//! SignalHouse: credentials and address only. It carries messages; the requests are made by the messaging crate.

use crate::{
    descriptor::{Descriptor, EnvNames, env_names},
    name::ProviderName,
    provider::{Capabilities, Provider, SendApi},
};

const ENV: EnvNames = env_names!("SIGNALHOUSE");
const URL: &str = "https://api.signalhouse.io/api/v1";

static DESCRIPTOR: Descriptor = Descriptor {
    account: Some("the API key; the key itself is the auth token"),
    ..Descriptor::new("signalhouse", ENV, URL)
};

impl ProviderName {
    pub const SIGNALHOUSE: Self = Self::new(&DESCRIPTOR);
}

pub static PROVIDER: Provider = Provider {
    name: ProviderName::SIGNALHOUSE,
    capabilities: Capabilities { send: Some(SendApi { env_url: ENV.url, default_url: URL }), ..Capabilities::NONE },
};
