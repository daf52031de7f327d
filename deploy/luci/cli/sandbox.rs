//! `luci sandbox`: runs the sandbox providers alone; they bill nothing, and fail on request.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use luci_messaging::carriers::{SendersConfig, signalhouse::SignalHouseAccess, twilio::TwilioAccess};
use luci_providers::ProvidersConfig;
use luci_sandbox::{ACCOUNT, Carriers, FaultSpec, KEY, PROVIDERS, Provider, Sandbox, SandboxOptions, TOKEN};

use super::{Outcome, out};
use crate::{config::Config, process::telemetry};

#[derive(Debug, Args)]
pub struct SandboxCommand {
    /// Address of the sandbox; port 0 for any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090", value_parser = super::up::address)]
    listen: SocketAddr,
    /// API key of every provider
    #[arg(long, default_value = "sandbox-key")]
    key: String,
    /// Faults, for example `apollo:429=0.2,5xx=0.05,garbage=0.02,delay=50ms`; `all:…` for every provider
    #[arg(long, value_name = "SPEC")]
    faults: Vec<FaultSpec>,
}

impl SandboxCommand {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let _traces = telemetry::init_log(config, telemetry::DEFAULT_FILTER)?;
        let mut signals = out::StopSignals::listen()?;
        let options = SandboxOptions { key: self.key, specs: self.faults, ..SandboxOptions::default() };
        let listen = self.listen;
        let sandbox = Sandbox::start(listen, options).await;
        let sandbox = sandbox.with_context(|| format!("cannot listen on {listen}; choose another --listen"))?;
        for provider in PROVIDERS {
            for settings in settings(provider, &sandbox.url(), sandbox.key()) {
                let settings: Vec<String> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
                out::line(&format!("export {}", settings.join(" ")))?;
            }
        }
        telemetry::notice(format_args!("Ledger of lookups and bills: {}/ledger", sandbox.url()));
        signals.recv().await;
        sandbox.stop().await;
        Ok(Outcome::Done)
    }
}

/// The settings with which a process uses the sandbox for this provider, line by line.
fn settings(provider: &Provider, url: &str, key: &str) -> Vec<Vec<(String, String)>> {
    let setting = |name: &str, value: &str| (format!("LUCI_{}_{name}", provider.name.to_uppercase()), value.to_owned());
    let mut lines = vec![vec![setting("URL", url), setting("KEY", key)]];
    lines.extend(provider.account.map(|account| vec![setting("ACCOUNT", account)]));
    lines
}

/// Sandbox providers and carriers in this process, for `luci up --sandbox` and `luci demo`.
#[derive(Debug)]
pub struct SandboxServers {
    pub providers: Sandbox,
    _carriers: Carriers,
}

impl SandboxServers {
    /// Starts them on free ports and makes the process call them instead of the real ones.
    pub async fn start(config: &mut Config, faults: Vec<FaultSpec>) -> anyhow::Result<Self> {
        let free = (Ipv4Addr::LOCALHOST, 0);
        let options = SandboxOptions { specs: faults, ..SandboxOptions::default() };
        let providers = Sandbox::start(free.into(), options).await?;
        config.providers = ProvidersConfig::all_at(&providers.url(), providers.key());
        let carriers = Carriers::start(free.into(), Duration::ZERO).await?;
        config.senders = senders(&carriers);
        config.sandbox = true;
        Ok(Self { providers, _carriers: carriers })
    }
}

/// URL and credentials of a sandbox's carriers, for the sender.
pub fn senders(carriers: &Carriers) -> SendersConfig {
    let base_url = carriers.url();
    SendersConfig {
        signalhouse: Some(SignalHouseAccess {
            base_url: base_url.clone(),
            key: KEY.to_owned().into(),
            token: TOKEN.to_owned().into(),
        }),
        twilio: Some(TwilioAccess { base_url, account_sid: ACCOUNT.into(), auth_token: TOKEN.to_owned().into() }),
        public_url: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_settings_configure_every_provider() {
        let lines = PROVIDERS.iter().flat_map(|provider| settings(provider, "http://127.0.0.1:8090", "sandbox-key"));
        let config = Config::read(lines.flatten().collect()).expect("valid settings");
        assert_eq!(config.providers.configured().len(), PROVIDERS.len());
    }
}
