//! The part of nats-server's configuration about accounts and users.
//!
//! Events are in account LUCI; the user that answers the auth callout is in the system account, where nobody else can read
//! the server's questions.

use std::fmt::Write;

use luci_config::vault::Vault;
use luci_gateway::nats_access::NatsKeys;
use luci_schema::TenantId;
use secrecy::{ExposeSecret, SecretString};

use super::{BrokerUser, Permissions, jwt_config::client};

/// The account that events are published in.
pub const ACCOUNT: &str = "LUCI";

/// The users' passwords and the key of the auth callout, all derived from the master key, so that the configuration is the same
/// on every machine.
#[derive(Debug, Clone)]
pub struct Passwords {
    passwords: Vec<(BrokerUser, SecretString)>,
    issuer: String,
}

impl Passwords {
    /// # Errors
    /// When the keys cannot be derived, which never happens with a valid master key.
    pub fn new(vault: &Vault) -> std::io::Result<Self> {
        let password =
            |user: BrokerUser| SecretString::from(hex::encode(vault.broker_key(user.name()).expose_secret()));
        let issuer = NatsKeys::new(vault).map_err(std::io::Error::other)?.issuer();
        Ok(Self { passwords: BrokerUser::ALL.map(|user| (user, password(user))).into(), issuer })
    }

    /// The password of a user that does not end, for clients of this tenant.
    pub fn client(vault: &Vault, tenant: TenantId) -> SecretString {
        hex::encode(vault.broker_key(&format!("client {tenant}")).expose_secret()).into()
    }

    pub fn of(&self, user: BrokerUser) -> &str {
        let found = self.passwords.iter().find(|(known, _)| *known == user);
        found.map_or("", |(_, password)| password.expose_secret())
    }
}

/// Who lets clients of tenants in.
#[derive(Debug, Clone)]
pub enum Clients {
    /// LUCI's gateways, which the server asks about everybody else.
    Callout,
    /// Nobody: each of these tenants has one user that does not end.
    Static(Vec<(TenantId, SecretString)>),
}

/// Accounts, users and auth callout, as text of nats-server's configuration.
pub fn accounts(passwords: &Passwords, clients: &Clients) -> String {
    let mut text = String::from("system_account: SYS\naccounts {\n  SYS {\n    users: [\n");
    user(&mut text, BrokerUser::Callout, passwords);
    let _ = writeln!(text, "    ]\n  }}\n  {ACCOUNT} {{\n    jetstream: enabled\n    users: [");
    for known in BrokerUser::ALL.into_iter().filter(|user| *user != BrokerUser::Callout) {
        user(&mut text, known, passwords);
    }
    if let Clients::Static(tenants) = clients {
        for (tenant, password) in tenants {
            entry(&mut text, &tenant.to_string(), password.expose_secret(), &client(*tenant));
        }
    }
    text.push_str("    ]\n  }\n}\n");
    if let Clients::Callout = clients {
        let names: Vec<&str> = BrokerUser::ALL.iter().map(|user| user.name()).collect();
        let (issuer, names) = (&passwords.issuer, names.join(", "));
        let _ = writeln!(
            text,
            "# Everybody else: LUCI's gateways are asked.\nauthorization {{\n  timeout: 5\n  auth_callout {{\n    \
             issuer: {issuer}\n    account: SYS\n    auth_users: [{names}]\n  }}\n}}"
        );
    }
    text
}

fn user(text: &mut String, user: BrokerUser, passwords: &Passwords) {
    entry(text, user.name(), passwords.of(user), &user.permissions());
}

fn entry(text: &mut String, name: &str, password: &str, Permissions { publish, subscribe }: &Permissions) {
    let (publish, subscribe) = (subjects(publish), subjects(subscribe));
    let _ = writeln!(
        text,
        "      {{ user: {name}, password: \"{password}\", permissions: {{\n        publish: {publish}\n        \
         subscribe: {subscribe}\n      }} }}"
    );
}

/// A list of subjects; an empty one refuses everything.
fn subjects(allowed: &[String]) -> String {
    if allowed.is_empty() {
        return "{ deny: \">\" }".to_owned();
    }
    let quoted: Vec<String> = allowed.iter().map(|subject| format!("\"{subject}\"")).collect();
    format!("[{}]", quoted.join(", "))
}
