//! The configuration. Nothing else reads the environment, and everything is checked before anything starts.

mod edge;
mod nats;
mod providers;
mod reader;
mod search;
mod senders;
mod store;
mod traces;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroU64,
    path::{Path, PathBuf},
};

pub use edge::EdgeConfig;
use luci_messaging::carriers::SendersConfig;
use luci_providers::ProvidersConfig;
use luci_schema::TenantId;
pub use nats::NatsConfig;
pub use reader::{ConfigError, ConfigErrors, MissingSetting, VariableReader};
pub use search::{Search, search, search_variables};
use secrecy::SecretString;
pub use store::StoreAddress;
pub use traces::TracesConfig;

/// The settings of the environment. A command-line flag takes precedence over its variable.
#[derive(Debug, Clone)]
pub struct Config {
    /// `LUCI_DATA_DIR`, default `.luci`: the folder of `luci up` and `luci demo`.
    pub data_dir: PathBuf,
    data_dir_origin: Origin,
    /// `LUCI_LISTEN`, default `127.0.0.1:8080` or, when that is taken, a free port.
    pub listen: Option<SocketAddr>,
    /// `LUCI_METRICS_LISTEN`: where `luci serve` answers probes and Prometheus besides the gateway; default nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// `LUCI_PUBLIC_URL`: the gateway's URL as callers see it, without a trailing slash; default `http://` + listen.
    pub public_url: Option<String>,
    /// `LUCI_DATABASE_URL`: a Postgres that LUCI does not start itself.
    pub database_url: Option<SecretString>,
    /// `LUCI_NATS_URL`: a NATS that LUCI does not start itself.
    pub nats_url: Option<SecretString>,
    /// `LUCI_NATS_RELAY_URL` and the like: users of single roles, and URLs for clients.
    pub nats: NatsConfig,
    /// `LUCI_STORE_URL`: `file:///folder` or `s3://bucket`; default the folder `objects` of the data folder.
    pub store: Option<StoreAddress>,
    /// `LUCI_MASTER_KEY`: 32 bytes in hexadecimal; default the file `master.key` of the data folder.
    pub master_key: Option<SecretString>,
    /// `LUCI_SEAL_KEY`: a file with the Ed25519 key that seals the log; default the file `seal.key` of the data folder.
    pub seal_key: Option<PathBuf>,
    /// `LUCI_SEAL_WITNESS`: the file in which the sealer remembers its seals.
    pub seal_witness: Option<PathBuf>,
    /// `LUCI_SEAL_BUCKET`: another bucket or folder in which the sealer remembers its seals, with the same variables as the store.
    pub seal_bucket: Option<StoreAddress>,
    /// `LUCI_INSTANCE`: the name under which this process holds leases; default random at each start.
    pub instance: Option<String>,
    /// `LUCI_UPLOAD_MAX_BYTES`: the largest CSV that can be uploaded; default 100 MB.
    pub upload_max_bytes: Option<NonZeroU64>,
    /// `LUCI_LEGACY_TENANT`: the tenant that owns what the older platform left in the store; default none.
    pub legacy_tenant: Option<TenantId>,
    /// `LUCI_RATE_LIMIT_KEY`, `LUCI_PROXIES`, `LUCI_TLS_CERT` and the like: limits, proxies and TLS of the gateway.
    pub edge: EdgeConfig,
    /// `LUCI_APOLLO_KEY` and the like: outside providers.
    pub providers: ProvidersConfig,
    /// `LUCI_TWILIO_API_URL` and the like: SignalHouse and Twilio, which the sender uses.
    pub senders: SendersConfig,
    /// Set by `luci demo` and `luci up --sandbox`: providers and carriers are simulated.
    pub sandbox: bool,
    pub log: LogConfig,
    /// `LUCI_OTLP_URL` and the like: the collector of traces.
    pub traces: Option<TracesConfig>,
    /// `LUCI_URL` and `LUCI_API_KEY`: the gateway that the client commands call.
    pub url: Option<String>,
    pub api_key: Option<SecretString>,
    /// `LUCI_CA_CERT`: a PEM file with certificates that the client commands trust besides the system's.
    pub ca_cert: Option<PathBuf>,
    pub search: Search,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Default,
    Environment,
    Flag,
}

/// The log lines of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// `LUCI_LOG`: as for `RUST_LOG`, for example `info,luci_runs=debug`; default `info`.
    pub filter: Option<String>,
    /// `LUCI_LOG_FORMAT`: `json` or `pretty`; default pretty on a terminal.
    pub format: Option<LogFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Pretty,
}

impl std::str::FromStr for LogFormat {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "json" => Ok(Self::Json),
            "pretty" => Ok(Self::Pretty),
            _ => Err(()),
        }
    }
}

/// The default data folder of `luci up`.
const DATA_DIR: &str = ".luci";

impl Config {
    /// Reads the environment of this process.
    pub fn from_environment() -> Result<Self, ConfigErrors> {
        Self::read(environment())
    }

    /// Reads `variables` and returns every error at once.
    pub fn read(variables: BTreeMap<String, String>) -> Result<Self, ConfigErrors> {
        let mut reader = VariableReader::new(variables);
        let data_dir = reader.text("LUCI_DATA_DIR");
        let mut config = Self {
            data_dir_origin: if data_dir.is_some() { Origin::Environment } else { Origin::Default },
            data_dir: PathBuf::from(data_dir.as_deref().unwrap_or(DATA_DIR)),
            listen: reader.parsed("LUCI_LISTEN", "an address like 127.0.0.1:8080"),
            metrics_listen: reader.parsed("LUCI_METRICS_LISTEN", "an address like 127.0.0.1:9090"),
            public_url: web_url(&mut reader, "LUCI_PUBLIC_URL"),
            database_url: reader.secret_url("LUCI_DATABASE_URL", &["postgres", "postgresql"]),
            nats_url: reader.secret_urls("LUCI_NATS_URL", &["nats", "tls"]),
            nats: nats::read(&mut reader),
            store: StoreAddress::of_objects(&mut reader),
            master_key: master_key(&mut reader),
            seal_key: reader.text("LUCI_SEAL_KEY").map(PathBuf::from),
            seal_witness: reader.text("LUCI_SEAL_WITNESS").map(PathBuf::from),
            seal_bucket: StoreAddress::of_seals(&mut reader),
            instance: reader.text("LUCI_INSTANCE"),
            upload_max_bytes: reader.parsed("LUCI_UPLOAD_MAX_BYTES", "a number of bytes, 1 or more"),
            legacy_tenant: reader.parsed("LUCI_LEGACY_TENANT", "the id of a tenant (`tenant_` and 26 characters)"),
            edge: edge::read(&mut reader),
            providers: providers::read(&mut reader),
            senders: SendersConfig::default(),
            sandbox: false,
            log: LogConfig {
                filter: log_filter(&mut reader),
                format: reader.parsed("LUCI_LOG_FORMAT", "`json` or `pretty`"),
            },
            traces: traces::read(&mut reader),
            url: web_url(&mut reader, "LUCI_URL"),
            api_key: reader.secret("LUCI_API_KEY"),
            ca_cert: reader.text("LUCI_CA_CERT").map(PathBuf::from),
            search: Search {
                postgres: reader.text("LUCI_PG_BIN").map(PathBuf::from),
                nats: reader.text("LUCI_NATS_SERVER").map(PathBuf::from),
                path: reader.text("PATH").map(Into::into),
            },
        };
        config.senders = senders::read(&mut reader, &config.providers.sites);
        reader.finish(config)
    }

    /// The folder of a `--data-dir` flag.
    pub fn set_data_dir(&mut self, flag: &Path) {
        (self.data_dir, self.data_dir_origin) = (flag.to_owned(), Origin::Flag);
    }

    /// Whether neither a flag nor `LUCI_DATA_DIR` named the folder.
    pub fn data_dir_is_default(&self) -> bool {
        self.data_dir_origin == Origin::Default
    }

    pub fn data_dir_is_flag(&self) -> bool {
        self.data_dir_origin == Origin::Flag
    }

    /// Leaves the gateway, servers and store of the environment out: those of the data folder's instance are meant.
    pub fn forget_addresses(&mut self) {
        (self.url, self.api_key, self.database_url, self.nats_url, self.store) = (None, None, None, None, None);
    }

    /// Sets a command's own default data folder, unless `--data-dir` or `LUCI_DATA_DIR` named one.
    pub fn set_default_data_dir(&mut self, flag: Option<&Path>, default: &str) {
        if flag.is_none() && self.data_dir_origin == Origin::Default {
            self.data_dir = default.into();
        }
    }
}

/// The only function that reads the environment.
#[allow(clippy::disallowed_methods)]
fn environment() -> BTreeMap<String, String> {
    // No setting has a value that is not UTF-8.
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn web_url(reader: &mut VariableReader, name: &'static str) -> Option<String> {
    let text = reader.text(name)?;
    match url::Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Some(text.trim_end_matches('/').to_owned()),
        _ => {
            reader.error(name, format!("`{text}` is not a URL like https://luci.example"));
            None
        }
    }
}

fn master_key(reader: &mut VariableReader) -> Option<SecretString> {
    let text = reader.text("LUCI_MASTER_KEY")?;
    match hex::decode(&text) {
        Ok(bytes) if bytes.len() == 32 => Some(SecretString::from(text)),
        _ => {
            reader.error("LUCI_MASTER_KEY", "is not 32 bytes in hexadecimal (`openssl rand -hex 32` makes one)");
            None
        }
    }
}

fn log_filter(reader: &mut VariableReader) -> Option<String> {
    let text = reader.text("LUCI_LOG")?;
    if let Err(error) = text.parse::<tracing_subscriber::filter::EnvFilter>() {
        reader.error("LUCI_LOG", format!("`{text}` is not a filter like `info,luci_runs=debug`: {error}"));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
        Config::read(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn every_setting_has_a_default() {
        let config = read(&[("HOME", "/root")]).expect("defaults");
        assert_eq!(config.data_dir, PathBuf::from(".luci"));
        assert!(config.database_url.is_none() && config.providers.configured().is_empty());
    }

    #[test]
    fn the_upload_limit_is_a_number_of_bytes() {
        let limit = |text| read(&[("LUCI_UPLOAD_MAX_BYTES", text)]).map(|config| config.upload_max_bytes);
        assert_eq!(limit("1000000000").expect("a limit").map(NonZeroU64::get), Some(1_000_000_000));
        for invalid in ["0", "100MB", "-1"] {
            assert!(limit(invalid).expect_err(invalid).to_string().contains("LUCI_UPLOAD_MAX_BYTES"), "{invalid}");
        }
    }

    #[test]
    fn every_error_is_reported_at_once_and_without_secrets() {
        let errors = read(&[
            ("LUCI_LISTEN", "8080"),
            ("LUCI_DATABASE_URL", "mysql://me:hunter2@db/x"),
            ("LUCI_MASTER_KEY", "hunter2"),
            ("LUCI_APOLLO_KEY", "hunter2 two"),
            ("LUCI_LOG_FORMAT", "xml"),
            ("LUCI_STORE_URL", "ftp://x"),
            ("LUCI_LISTEM", "127.0.0.1:1"),
        ])
        .expect_err("seven errors");
        let names: Vec<&str> = errors.0.iter().map(|error| error.variable.as_str()).collect();
        let expected = [
            "LUCI_LISTEN",
            "LUCI_DATABASE_URL",
            "LUCI_STORE_URL",
            "LUCI_MASTER_KEY",
            "LUCI_APOLLO_KEY",
            "LUCI_LOG_FORMAT",
            "LUCI_LISTEM",
        ];
        assert_eq!(names, expected);
        assert!(!errors.to_string().contains("hunter2"), "{errors}");
    }

    #[test]
    fn the_legacy_tenant_is_an_id() {
        let id = TenantId::generate();
        let tenant = |text: &str| read(&[("LUCI_LEGACY_TENANT", text)]).map(|config| config.legacy_tenant);
        assert_eq!(tenant(&id.to_string()).expect("an id"), Some(id));
        assert!(tenant("acme").expect_err("a name").to_string().contains("LUCI_LEGACY_TENANT"));
    }

    #[test]
    fn urls_lose_their_trailing_slash() {
        let config = read(&[("LUCI_URL", "https://luci.example/")]).expect("right");
        assert_eq!(config.url.as_deref(), Some("https://luci.example"));
    }
}
