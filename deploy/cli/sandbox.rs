//! `luci sandbox`: the providers that the demo uses, as a command of their own; they charge nothing and can be told to fail.

use std::net::SocketAddr;

use anyhow::Context;
use clap::Args;

use super::{Outcome, out};
use crate::{
    config::Config,
    sandbox::{FaultSpec, PROVIDERS, Sandbox, SandboxOptions},
    telemetry,
};

#[derive(Debug, Args)]
pub struct SandboxCommand {
    /// Where the sandbox answers; port 0 for any
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// The key that every provider takes
    #[arg(long, default_value = "sandbox-key")]
    key: String,
    /// What goes wrong, for example `apollo:429=0.2,5xx=0.05,garbage=0.02,delay=50ms`; `all:…` for every provider
    #[arg(long, value_name = "SPEC")]
    faults: Vec<FaultSpec>,
}

impl SandboxCommand {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        telemetry::log(&config.log, telemetry::USUAL);
        let mut signals = out::StopSignals::listen()?;
        let options = SandboxOptions { key: self.key, specs: self.faults, ..SandboxOptions::default() };
        let listen = self.listen;
        let sandbox = Sandbox::start(listen, options).await;
        let sandbox = sandbox.with_context(|| format!("{listen} cannot be listened on; name another --listen"))?;
        for provider in PROVIDERS.map(str::to_uppercase) {
            out::line(&format!("export LUCI_{provider}_URL={} LUCI_{provider}_KEY={}", sandbox.url(), sandbox.key()))?;
        }
        out::line("export LUCI_TWILIO_ACCOUNT=sandbox")?;
        telemetry::tell(format_args!("What is asked and billed: {}/ledger", sandbox.url()));
        signals.told().await;
        sandbox.stop().await;
        Ok(Outcome::Done)
    }
}
