//! `luci serve ROLE…`: runs some or all roles on a shared Postgres, NATS and store, for LUCI on several machines.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
};

use anyhow::Context;
use clap::Args;
use luci_config::vault::Vault;
use luci_runs::{seal_memory::SealMemory, seal_witness::SealWitness, sealer::SealerOptions};
use luci_schema::{RunId, migrate};
use secrecy::ExposeSecret;
use tokio::signal::unix::{SignalKind, signal};

use super::{Outcome, out};
use crate::{
    broker::BrokerUser,
    config::{Config, MissingSetting},
    process::{
        ProcessRole, Setup, System,
        from_config::{configured_seal_key, gateway_options, providers, seal_bucket, shared_store},
        telemetry,
    },
};

#[derive(Debug, Args)]
pub struct Serve {
    /// gateway, engine, projections, relay, clock, sender or all
    #[arg(required = true, value_name = "ROLE", value_parser = parse_roles)]
    roles: Vec<Roles>,
    /// Address of the gateway [env: LUCI_LISTEN] [default: 0.0.0.0:8080]
    #[arg(long, value_name = "ADDR", value_parser = super::up::address)]
    listen: Option<SocketAddr>,
}

type Roles = Vec<ProcessRole>;

fn parse_roles(text: &str) -> Result<Roles, String> {
    if text == "all" {
        return Ok(ProcessRole::ALL.to_vec());
    }
    let found = ProcessRole::ALL.into_iter().find(|role| role.as_str() == text);
    found.map(|role| vec![role]).ok_or_else(|| "gateway, engine, projections, relay, clock, sender or all".to_owned())
}

impl Serve {
    pub async fn run(self, config: Config) -> anyhow::Result<Outcome> {
        let _traces = telemetry::init_log(&config, telemetry::DEFAULT_FILTER)?;
        let mut signals = out::StopSignals::listen()?;
        // It asks for a look at the certificate's files, and never ends a process of several machines.
        let _hangup = signal(SignalKind::hangup())?;
        let mut roles: Vec<ProcessRole> = self.roles.into_iter().flatten().collect();
        roles.sort_unstable();
        roles.dedup();
        let missing = |name, remedy| MissingSetting { name, remedy };
        let database_url = config.database_url.clone();
        let database_url = database_url.ok_or(missing("LUCI_DATABASE_URL", "the roles need a shared Postgres"))?;
        let users: Vec<BrokerUser> = roles.iter().filter_map(|role| role.broker_user()).collect();
        let broker = config.nats.access(config.nats_url.clone(), &users);
        let broker = broker.ok_or(missing("LUCI_NATS_URL", "the roles need a shared NATS"))?;
        let listen = self.listen.or(config.listen).unwrap_or((Ipv4Addr::UNSPECIFIED, 8_080).into());
        let listener = roles.contains(&ProcessRole::Gateway).then(|| bound(listen)).transpose()?;
        let monitor = config.metrics_listen.map(bound).transpose()?;
        let remedy = "secrets are encrypted under it; every process needs the same one";
        let master = config.master_key.as_ref().ok_or(missing("LUCI_MASTER_KEY", remedy))?;
        let vault = Arc::new(Vault::new(master)?);
        let storage = shared_store(&config, listener.as_ref())?;
        let (store, address) = (format!("{storage:?}"), listener.as_ref().and_then(|l| l.local_addr().ok()));
        let instance = config.instance.clone().unwrap_or_else(|| RunId::generate().ulid().to_string());
        // Only the clock's process needs access to the file.
        let seal_key = config.seal_key.as_deref().filter(|_| roles.contains(&ProcessRole::Clock));
        let seal_key = seal_key.map(configured_seal_key).transpose()?;
        let role_names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
        let role_names = role_names.join(",");
        let file = config.seal_witness.clone().map(SealWitness::at);
        let memory = SealMemory { file, broker: None, bucket: seal_bucket(&config)? };
        migrate::check_schema(database_url.expose_secret()).await?;
        let setup = Setup {
            database_url,
            broker,
            evt: config.nats.evt.clone(),
            storage,
            vault,
            sealing: seal_key.map(|key| SealerOptions { memory, ..SealerOptions::owned_by(&instance, Arc::new(key)) }),
            providers: providers(&config, listener.as_ref()),
            senders: config.senders.clone(),
            listener,
            monitor,
            instance: instance.clone(),
            workers: Default::default(),
            sender: Default::default(),
            gateway: gateway_options(&config)?,
            metrics: telemetry::init_metrics()?,
            roles,
        };
        let system = System::start(setup).await?;
        let address = address.map(|address| address.to_string());
        tracing::info!(instance, roles = role_names, store, listen = address, "process started");
        let signal = signals.recv().await;
        tracing::info!(instance, signal, "process stopping");
        system.stop().await;
        Ok(Outcome::Done)
    }
}

fn bound(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))
}
