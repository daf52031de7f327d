//! The same users for a nats-server in operator mode: an operator, two accounts, a resolver in memory, and a credentials file for
//! each user.

use luci_config::vault::Vault;
use luci_gateway::nats_access::{JwtError, sign_jwt};
use luci_schema::{
    Micros, TenantId,
    subject::{telemetry_all, watch_all},
};
use nkeys::{KeyPair, KeyPairType};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{ACCOUNT, BrokerUser, Permissions};

/// A configuration, and the text of each user's credentials file by its name.
#[derive(Debug)]
pub struct OperatorMode {
    pub config: String,
    pub users: Vec<(String, SecretString)>,
}

/// Keys that derive from the master key: the same on every call.
struct Keys<'a>(&'a Vault);

impl Keys<'_> {
    fn pair(&self, kind: KeyPairType, purpose: &str) -> Result<KeyPair, JwtError> {
        Ok(KeyPair::new_from_raw(kind, *self.0.broker_key(&format!("nkey {purpose}")).expose_secret())?)
    }
}

/// Users for LUCI's processes and for clients of these tenants. There is no auth callout in this mode.
///
/// # Errors
/// When a key cannot be derived or sign, which never happens with a valid master key.
pub fn operator_mode(vault: &Vault, tenants: &[TenantId]) -> Result<OperatorMode, JwtError> {
    let keys = Keys(vault);
    let operator = keys.pair(KeyPairType::Operator, "operator")?;
    let (account, system) = (keys.pair(KeyPairType::Account, "account")?, keys.pair(KeyPairType::Account, "system")?);
    let claims = |subject: &KeyPair, name: &str, nats: Value| json!({"sub": subject.public_key(), "name": name, "iat": Micros::now().seconds(), "nats": nats});
    let operator_jwt = sign_jwt(
        claims(&operator, "LUCI", json!({"type": "operator", "version": 2, "system_account": system.public_key()})),
        &operator,
    )?;
    let account_jwt = sign_jwt(claims(&account, ACCOUNT, limits(-1)), &operator)?;
    let system_jwt = sign_jwt(claims(&system, "SYS", limits(0)), &operator)?;
    let config = format!(
        "operator: {operator_jwt}\nsystem_account: {system}\nresolver: MEMORY\nresolver_preload: {{\n  \
         # {ACCOUNT}\n  {account}: {account_jwt}\n  # SYS\n  {system}: {system_jwt}\n}}\n",
        system = system.public_key(),
        account = account.public_key(),
    );
    let processes = BrokerUser::ALL.into_iter().filter(|user| *user != BrokerUser::Callout);
    let processes = processes.map(|user| (user.name().to_owned(), user.permissions()));
    let users = processes.chain(tenants.iter().map(|tenant| (tenant.to_string(), client(*tenant))));
    let users = users.map(|(name, permissions)| {
        let pair = keys.pair(KeyPairType::User, &name)?;
        let jwt = sign_jwt(claims(&pair, &name, user(&permissions)), &account)?;
        Ok((name, credentials(&jwt, &pair.seed()?)))
    });
    Ok(OperatorMode { config, users: users.collect::<Result<_, JwtError>>()? })
}

/// What clients of a tenant may do with a user that does not end.
pub fn client(tenant: TenantId) -> Permissions {
    let subscribe = vec![watch_all(tenant), telemetry_all(tenant), format!("_INBOX_{tenant}.>")];
    Permissions { publish: Vec::new(), subscribe }
}

/// An account without limits; `storage` is -1 where JetStream may be used.
fn limits(storage: i64) -> Value {
    json!({"type": "account", "version": 2, "limits": {"subs": -1, "data": -1, "payload": -1, "imports": -1,
        "exports": -1, "wildcards": true, "conn": -1, "leaf": -1, "mem_storage": storage, "disk_storage": storage,
        "streams": storage, "consumer": storage}})
}

fn user(Permissions { publish, subscribe }: &Permissions) -> Value {
    let publish = if publish.is_empty() { json!({"deny": [">"]}) } else { json!({"allow": publish}) };
    json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1, "pub": publish,
        "sub": {"allow": subscribe}})
}

/// The file that every NATS client reads.
fn credentials(jwt: &str, seed: &str) -> SecretString {
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
    .into()
}
