//! SignalHouse: credentials and address only. It carries messages; the requests are made by the messaging crate.

use crate::{
    ProviderName,
    descriptor::{Capabilities, Descriptor, EnvNames, SendApi, env_names},
};

const ENV: EnvNames = env_names!("SIGNALHOUSE");
const URL: &str = "https://api.signalhouse.io/api/v1";

static SIGNALHOUSE: Descriptor = Descriptor {
    account: Some("the API key; the key itself is the auth token"),
    capabilities: Capabilities { send: Some(SendApi { env_url: ENV.url, default_url: URL }), ..Capabilities::NONE },
    ..Descriptor::new("signalhouse", ENV, URL)
};

impl ProviderName {
    pub const SIGNALHOUSE: Self = Self::new(&SIGNALHOUSE);
}
