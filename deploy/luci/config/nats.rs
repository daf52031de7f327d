//! Settings of NATS: users for single roles and addresses for clients of a shared one, and the size of stream EVT.

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use luci_runs::broker::EvtOptions;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::VariableReader;
use crate::broker::{BrokerAccess, BrokerUser, ClientAccess};

/// All are optional: one `LUCI_NATS_URL` is enough for every mixture of roles.
#[derive(Debug, Clone, Default)]
pub struct NatsConfig {
    /// `LUCI_NATS_RELAY_URL` and the like.
    users: BTreeMap<BrokerUser, SecretString>,
    /// `LUCI_NATS_PUBLIC_URL`: default host and port of the first `LUCI_NATS_URL`.
    public_url: Option<String>,
    /// `LUCI_NATS_WEBSOCKET_URL`: no default.
    web_socket_url: Option<String>,
    /// `LUCI_EVT_REPLICAS`, `LUCI_EVT_MAX_AGE`, `LUCI_EVT_MAX_BYTES`: by default EVT has every event.
    pub evt: EvtOptions,
}

const USERS: [(BrokerUser, &str); 5] = [
    (BrokerUser::Relay, "LUCI_NATS_RELAY_URL"),
    (BrokerUser::Engine, "LUCI_NATS_ENGINE_URL"),
    (BrokerUser::Clock, "LUCI_NATS_CLOCK_URL"),
    (BrokerUser::Gateway, "LUCI_NATS_GATEWAY_URL"),
    (BrokerUser::Callout, "LUCI_NATS_CALLOUT_URL"),
];

pub(super) fn read(reader: &mut VariableReader) -> NatsConfig {
    let mut users = BTreeMap::new();
    for (user, name) in USERS {
        users.extend(reader.secret_urls(name, &["nats", "tls"]).map(|url| (user, url)));
    }
    NatsConfig {
        evt: evt(reader),
        users,
        public_url: public_url(reader, "LUCI_NATS_PUBLIC_URL", &["nats", "tls"]),
        web_socket_url: public_url(reader, "LUCI_NATS_WEBSOCKET_URL", &["ws", "wss"]),
    }
}

fn evt(reader: &mut VariableReader) -> EvtOptions {
    let replicas: Option<Replicas> = reader.parsed("LUCI_EVT_REPLICAS", "1, 3 or 5");
    let max_age: Option<Age> =
        reader.parsed("LUCI_EVT_MAX_AGE", "a number of hours or days from 1h on, like 36h or 30d");
    let max_bytes: Option<Bytes> = reader.parsed("LUCI_EVT_MAX_BYTES", "a number of bytes, 1048576 or more");
    EvtOptions {
        replicas: replicas.map(|Replicas(number)| number),
        max_age: max_age.map(|Age(age)| age),
        max_bytes: max_bytes.map(|Bytes(bytes)| bytes),
        ..EvtOptions::default()
    }
}

struct Replicas(usize);

impl FromStr for Replicas {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        text.parse().ok().filter(|number| [1, 3, 5].contains(number)).map(Self).ok_or(())
    }
}

struct Age(Duration);

impl FromStr for Age {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (number, hours) = match (text.strip_suffix('h'), text.strip_suffix('d')) {
            (Some(number), _) => (number, 1),
            (_, Some(number)) => (number, 24),
            _ => return Err(()),
        };
        // More than a century is a mistake.
        let number: u64 = number.parse().ok().filter(|number| (1..=876_000).contains(number)).ok_or(())?;
        Ok(Self(Duration::from_secs(number * hours * 3_600)))
    }
}

struct Bytes(u64);

impl FromStr for Bytes {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        text.parse().ok().filter(|bytes| *bytes >= 1 << 20).map(Self).ok_or(())
    }
}

/// A URL that callers get: one with a credential would give it away.
fn public_url(reader: &mut VariableReader, name: &'static str, schemes: &[&str]) -> Option<String> {
    let url = reader.secret_url(name, schemes)?;
    match Url::parse(url.expose_secret()) {
        Ok(parsed) if parsed.username().is_empty() && parsed.password().is_none() => {
            Some(url.expose_secret().trim_end_matches('/').to_owned())
        }
        _ => {
            reader.error(name, "has a user or password, and callers of the API would get it");
            None
        }
    }
}

impl NatsConfig {
    /// The access of a process that needs these users, with `url` for those without a URL of their own. `None`: one has neither.
    pub fn access(&self, url: Option<SecretString>, needed: &[BrokerUser]) -> Option<BrokerAccess> {
        if url.is_none() && needed.iter().any(|user| !self.users.contains_key(user)) {
            return None;
        }
        let any = url.or_else(|| self.users.values().next().cloned()).unwrap_or_default();
        let public = self.public_url.clone().unwrap_or_else(|| without_credential(&any));
        let clients = ClientAccess { url: public, web_socket_url: self.web_socket_url.clone() };
        Some(BrokerAccess::shared(any).with_users(self.users.clone(), clients))
    }
}

/// The first address.
fn without_credential(urls: &SecretString) -> String {
    let first = urls.expose_secret().split(',').next().unwrap_or_default();
    let Ok(parsed) = Url::parse(first.trim()) else { return String::new() };
    let port = parsed.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", parsed.scheme(), parsed.host_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<NatsConfig, super::super::ConfigErrors> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut reader = VariableReader::new(variables);
        let read = read(&mut reader);
        reader.finish(read)
    }

    const SHARED: &str = "nats://luci:secret@nats:4222";

    #[test]
    fn a_process_needs_the_users_of_its_roles_only() {
        let config = config(&[("LUCI_NATS_RELAY_URL", "nats://relay:r@nats:4222")]).expect("right");
        assert!(config.access(None, &[BrokerUser::Relay]).is_some());
        assert!(config.access(None, &[BrokerUser::Relay, BrokerUser::Clock]).is_none());
        assert!(config.access(Some(SHARED.into()), &[BrokerUser::Relay, BrokerUser::Clock]).is_some());
    }

    #[test]
    fn one_url_serves_every_role_and_gives_clients_none() {
        let access = config(&[]).expect("defaults").access(Some(SHARED.into()), &[]).expect("a URL");
        assert!(access.clients.is_none());
        for user in BrokerUser::ALL {
            assert_eq!(access.url(user).expose_secret(), SHARED);
        }
    }

    #[test]
    fn a_role_can_have_a_url_of_its_own_and_the_callout_lets_clients_in() {
        let relay = ("LUCI_NATS_RELAY_URL", "nats://relay:r@nats:4222");
        let callout = ("LUCI_NATS_CALLOUT_URL", "nats://callout:c@nats:4222");
        let access = config(&[relay, callout]).expect("right").access(Some(SHARED.into()), &[]).expect("a URL");
        assert_eq!(access.url(BrokerUser::Relay).expose_secret(), relay.1);
        assert_eq!(access.url(BrokerUser::Engine).expose_secret(), SHARED);
        assert_eq!(access.clients.expect("clients").url, "nats://nats:4222", "without the credential");
    }

    #[test]
    fn a_url_may_be_several_addresses_and_clients_get_the_first() {
        let relay = ("LUCI_NATS_RELAY_URL", "nats://relay:r@one:4222, nats://relay:r@two:4222");
        let callout = ("LUCI_NATS_CALLOUT_URL", "nats://c:c@one:4222,nats://c:c@two:4222");
        let access = config(&[relay, callout]).expect("right");
        let shared = "nats://luci:secret@one:4222,nats://luci:secret@two:4222";
        let access = access.access(Some(shared.into()), &[]).expect("URLs");
        assert_eq!(access.clients.expect("clients").url, "nats://one:4222");
        let error = config(&[("LUCI_NATS_RELAY_URL", "nats://one:4222,http://two")]).expect_err("another scheme");
        assert!(error.to_string().contains("commas"), "{error}");
    }

    #[test]
    fn the_size_of_evt_has_units_and_bounds() {
        let evt = |name, value| config(&[(name, value)]).map(|config| config.evt);
        assert_eq!(config(&[]).expect("defaults").evt, EvtOptions::default());
        assert_eq!(evt("LUCI_EVT_REPLICAS", "3").expect("right").replicas, Some(3));
        assert_eq!(evt("LUCI_EVT_MAX_AGE", "30d").expect("right").max_age, Some(Duration::from_secs(30 * 86_400)));
        assert_eq!(evt("LUCI_EVT_MAX_AGE", "36h").expect("right").max_age, Some(Duration::from_secs(36 * 3_600)));
        assert_eq!(evt("LUCI_EVT_MAX_BYTES", "1048576").expect("right").max_bytes, Some(1 << 20));
        let wrong = [
            ("LUCI_EVT_REPLICAS", ["2", "0", "x"]),
            ("LUCI_EVT_MAX_AGE", ["0h", "30", "-1d"]),
            ("LUCI_EVT_MAX_BYTES", ["0", "1GB", "1"]),
        ];
        for (name, values) in wrong {
            for value in values {
                let error = evt(name, value).expect_err(value).to_string();
                assert!(error.contains(name) && error.contains(value), "{error}");
            }
        }
    }

    #[test]
    fn a_public_url_with_a_password_is_an_error_that_does_not_print_it() {
        let url = ("LUCI_NATS_WEBSOCKET_URL", "wss://me:hunter2@nats");
        let error = config(&[url]).expect_err("a password").to_string();
        assert!(error.contains("LUCI_NATS_WEBSOCKET_URL") && !error.contains("hunter2"), "{error}");
    }
}
