//! `luci nats config`: the configuration of a shared nats-server, with a user for each role of LUCI.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use luci_config::vault::Vault;
use luci_schema::TenantId;
use secrecy::ExposeSecret;

use super::{Outcome, out};
use crate::{
    broker::{self, BrokerUser, Clients, Passwords},
    config::{Config, MissingSetting},
    local::write_private,
};

#[derive(Debug, Subcommand)]
pub enum Nats {
    /// Print nats.conf and the settings of LUCI's processes. All passwords derive from LUCI_MASTER_KEY: keep the output secret
    Config {
        /// Host and port of the server, as LUCI's processes see it
        #[arg(long, value_name = "HOST:PORT", default_value = "nats:4222")]
        server: String,
        /// A tenant whose clients get a user that does not end, instead of asking LUCI about clients; may be repeated
        #[arg(long = "tenant", value_name = "TENANT")]
        tenants: Vec<TenantId>,
        /// Use operator mode: write each user's credentials file into this new folder, and users instead of asking LUCI about clients
        #[arg(long, value_name = "DIR")]
        jwt: Option<PathBuf>,
    },
}

/// What a person has to decide is a comment.
const HEAD: &str = r#"# nats-server 2.10 or later, for LUCI. Written by `luci nats config`.
# In a cluster, all servers have the same accounts and users.
listen: "0.0.0.0:4222"
server_name: "nats-1"
jetstream { store_dir: "/var/lib/nats" }
# Clients send their credential in the clear unless there is TLS.
# tls { cert_file: "/etc/nats/tls.crt", key_file: "/etc/nats/tls.key" }
# websocket { listen: "0.0.0.0:8443", tls { cert_file: "/etc/nats/tls.crt", key_file: "/etc/nats/tls.key" } }
"#;

impl Nats {
    pub fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let Self::Config { server, tenants, jwt } = self;
        let remedy = "the passwords derive from it; every process needs the same one";
        let master = config.master_key.as_ref().ok_or(MissingSetting { name: "LUCI_MASTER_KEY", remedy })?;
        let vault = Vault::new(master)?;
        if let Some(dir) = jwt {
            return operator_mode(&vault, &server, &tenants, &dir);
        }
        let passwords = Passwords::new(&vault).context("cannot derive the passwords")?;
        let clients = match tenants.as_slice() {
            [] => Clients::Callout,
            tenants => Clients::Static(tenants.iter().map(|at| (*at, Passwords::client(&vault, *at))).collect()),
        };
        out::line(&format!("{HEAD}{}", broker::accounts(&passwords, &clients)))?;
        out::line(&settings(&server, &passwords, &clients))?;
        Ok(Outcome::Done)
    }
}

/// Writes the files, prints the configuration.
fn operator_mode(vault: &Vault, server: &str, tenants: &[TenantId], dir: &Path) -> anyhow::Result<Outcome> {
    let broker::OperatorMode { config, users } = broker::operator_mode(vault, tenants)?;
    std::fs::create_dir(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let dir = dir.canonicalize().with_context(|| format!("cannot use {}", dir.display()))?;
    let file = |name: &str| dir.join(format!("{name}.creds"));
    for (name, text) in &users {
        let path = file(name);
        write_private(&path, text.expose_secret()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut lines = vec![format!("{HEAD}{config}{SETTINGS}")];
    for (name, user) in SETTING_OF.into_iter().filter(|(_, user)| *user != BrokerUser::Callout) {
        let path = file(user.name());
        lines.push(format!("#   {name}=nats://{}@{server}?credentials={}", user.name(), path.display()));
    }
    let clients = tenants
        .iter()
        .map(|at| format!("# Clients of {at}: {}, inbox prefix _INBOX_{at}", file(&at.to_string()).display()));
    lines.extend(clients);
    out::line(&lines.join("\n"))?;
    Ok(Outcome::Done)
}

const SETTINGS: &str =
    "# Settings of LUCI. A process needs those of its roles only; LUCI_NATS_URL is for an operator's commands.";

const SETTING_OF: [(&str, BrokerUser); 6] = [
    ("LUCI_NATS_URL", BrokerUser::Operator),
    ("LUCI_NATS_RELAY_URL", BrokerUser::Relay),
    ("LUCI_NATS_ENGINE_URL", BrokerUser::Engine),
    ("LUCI_NATS_CLOCK_URL", BrokerUser::Clock),
    ("LUCI_NATS_GATEWAY_URL", BrokerUser::Gateway),
    ("LUCI_NATS_CALLOUT_URL", BrokerUser::Callout),
];

/// The variables of LUCI's processes, and the users of tenants, as comments of the configuration.
fn settings(server: &str, passwords: &Passwords, clients: &Clients) -> String {
    let url = |user: BrokerUser| format!("nats://{}:{}@{server}", user.name(), passwords.of(user));
    let mut lines = vec![SETTINGS.to_owned()];
    let asks = matches!(clients, Clients::Callout);
    let known = SETTING_OF.into_iter().filter(|(_, user)| asks || *user != BrokerUser::Callout);
    lines.extend(known.map(|(name, user)| format!("#   {name}={}", url(user))));
    if let Clients::Static(tenants) = clients {
        lines.extend(tenants.iter().map(|(tenant, password)| {
            let password = password.expose_secret();
            format!("# Clients of {tenant}: nats://{tenant}:{password}@{server}, inbox prefix _INBOX_{tenant}")
        }));
    }
    lines.push(
        "# LUCI_NATS_PUBLIC_URL and LUCI_NATS_WEBSOCKET_URL: the server's addresses as clients see them.".to_owned(),
    );
    lines.join("\n")
}
