//! `luci version`: the version of this program, and of the gateway if one answers.

use clap::Args;
use serde_json::json;

use super::{Outcome, client::Api, out::Format};
use crate::config::Config;

#[derive(Debug, Args)]
pub struct Version {
    #[command(flatten)]
    format: Format,
}

impl Version {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let client = env!("CARGO_PKG_VERSION");
        let gateway = match Api::find(config) {
            Ok(api) => {
                api.get("/api/system").await.ok().and_then(|system| system["version"].as_str().map(str::to_owned))
            }
            Err(_) => None,
        };
        let document = json!({"version": client, "gateway": gateway});
        self.format.one(&document, || match &gateway {
            Some(gateway) => format!("luci {client}, gateway {gateway}"),
            None => format!("luci {client}, no gateway answers"),
        })
    }
}
