//! The only reader of the environment: everything is read and checked before anything starts.

mod providers;
mod reader;
mod senders;
mod store;

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU64, path::PathBuf};

use luci_engine::provider::ProvidersConfig;
pub use reader::{Mistake, Mistakes, Reader};
use secrecy::SecretString;
pub use store::StoreAddress;

use crate::local::Search;

/// What the environment says. A flag of the command line wins over its variable.
#[derive(Debug, Clone)]
pub struct Config {
    /// `LUCI_DATA_DIR`, default `.luci`: the folder of `luci up` and `luci demo`.
    pub data_dir: PathBuf,
    /// `LUCI_LISTEN`, default `127.0.0.1:8080` or, when that is taken, a free port.
    pub listen: Option<SocketAddr>,
    /// `LUCI_PUBLIC_URL`: the gateway's address as others see it, without a slash at the end; default `http://` + listen.
    pub public_url: Option<String>,
    /// `LUCI_DATABASE_URL`: a Postgres that is run by others.
    pub database_url: Option<SecretString>,
    /// `LUCI_NATS_URL`: a NATS that is run by others.
    pub nats_url: Option<SecretString>,
    /// `LUCI_STORE_URL`: `file:///folder` or `s3://bucket`; default the folder `objects` of the data folder.
    pub store: Option<StoreAddress>,
    /// `LUCI_MASTER_KEY`: 32 bytes in hexadecimal; default the file `master.key` of the data folder.
    pub master_key: Option<SecretString>,
    /// `LUCI_SEAL_KEY`: a file with the Ed25519 key that seals the log; default the file `seal.key` of the data folder.
    pub seal_key: Option<PathBuf>,
    /// `LUCI_INSTANCE`: the name of this process among several, for leases; default made up at each start.
    pub instance: Option<String>,
    /// `LUCI_UPLOAD_MAX_BYTES`: the largest CSV that may be uploaded; 100 MB unless set.
    pub upload_max_bytes: Option<NonZeroU64>,
    /// `LUCI_APOLLO_KEY` and the like: outside providers.
    pub providers: ProvidersConfig,
    pub log: LogConfig,
    /// `LUCI_URL` and `LUCI_API_KEY`: what the client commands talk to.
    pub url: Option<String>,
    pub api_key: Option<SecretString>,
    pub search: Search,
}

/// How the process speaks of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// `LUCI_LOG`: as for `RUST_LOG`, for example `info,luci_engine=debug`; default `info`.
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

/// The data folder of `luci up` when nothing names another.
pub const DATA_DIR: &str = ".luci";

impl Config {
    /// Reads the environment of this process.
    pub fn from_environment() -> Result<Self, Mistakes> {
        Self::read(environment())
    }

    /// Reads `variables`; all mistakes come back at once.
    pub fn read(variables: BTreeMap<String, String>) -> Result<Self, Mistakes> {
        let mut reader = Reader::new(variables);
        let config = Self {
            data_dir: reader.text("LUCI_DATA_DIR").map_or_else(|| PathBuf::from(DATA_DIR), PathBuf::from),
            listen: reader.parsed("LUCI_LISTEN", "an address like 127.0.0.1:8080"),
            public_url: web_address(&mut reader, "LUCI_PUBLIC_URL"),
            database_url: reader.address("LUCI_DATABASE_URL", &["postgres", "postgresql"]),
            nats_url: reader.address("LUCI_NATS_URL", &["nats", "tls"]),
            store: StoreAddress::read(&mut reader),
            master_key: master_key(&mut reader),
            seal_key: reader.text("LUCI_SEAL_KEY").map(PathBuf::from),
            instance: reader.text("LUCI_INSTANCE"),
            upload_max_bytes: reader.parsed("LUCI_UPLOAD_MAX_BYTES", "a number of bytes, 1 or more"),
            providers: providers::read(&mut reader),
            log: LogConfig {
                filter: log_filter(&mut reader),
                format: reader.parsed("LUCI_LOG_FORMAT", "`json` or `pretty`"),
            },
            url: web_address(&mut reader, "LUCI_URL"),
            api_key: reader.secret("LUCI_API_KEY"),
            search: Search {
                postgres: reader.text("LUCI_PG_BIN").map(PathBuf::from),
                nats: reader.text("LUCI_NATS_SERVER").map(PathBuf::from),
                path: reader.text("PATH").map(Into::into),
            },
        };
        reader.finish(config)
    }
}

/// The one door to the environment.
#[allow(clippy::disallowed_methods)]
fn environment() -> BTreeMap<String, String> {
    // A value that is not UTF-8 can be no setting of ours.
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// What says where the programs of Postgres and NATS are.
const SEARCH: [&str; 3] = ["LUCI_PG_BIN", "LUCI_NATS_SERVER", "PATH"];

/// The variables of the search that are set, for a process that is given nothing else.
pub fn search_variables() -> BTreeMap<String, String> {
    environment().into_iter().filter(|(name, value)| SEARCH.contains(&name.as_str()) && !value.is_empty()).collect()
}

/// Where the programs of Postgres and NATS are looked for; the rest of the environment is not judged.
pub fn search() -> Search {
    let mut variables = search_variables();
    let [postgres, nats, path] = SEARCH.map(|name| variables.remove(name));
    Search { postgres: postgres.map(PathBuf::from), nats: nats.map(PathBuf::from), path: path.map(Into::into) }
}

fn web_address(reader: &mut Reader, name: &'static str) -> Option<String> {
    let text = reader.text(name)?;
    match url::Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Some(text.trim_end_matches('/').to_owned()),
        _ => {
            reader.mistake(name, format!("`{text}` is not an address like https://luci.example"));
            None
        }
    }
}

fn master_key(reader: &mut Reader) -> Option<SecretString> {
    let text = reader.text("LUCI_MASTER_KEY")?;
    match hex::decode(&text) {
        Ok(bytes) if bytes.len() == 32 => Some(SecretString::from(text)),
        _ => {
            reader.mistake("LUCI_MASTER_KEY", "is not 32 bytes in hexadecimal (`openssl rand -hex 32` makes one)");
            None
        }
    }
}

fn log_filter(reader: &mut Reader) -> Option<String> {
    let text = reader.text("LUCI_LOG")?;
    if let Err(error) = text.parse::<tracing_subscriber::filter::EnvFilter>() {
        reader.mistake("LUCI_LOG", error.to_string());
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, Mistakes> {
        Config::read(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn nothing_set_is_a_whole_configuration() {
        let config = read(&[("HOME", "/root")]).expect("defaults");
        assert_eq!(config.data_dir, PathBuf::from(".luci"));
        assert!(config.database_url.is_none() && config.providers.configured().is_empty());
    }

    #[test]
    fn the_largest_upload_is_a_number_of_bytes() {
        let limit = |text| read(&[("LUCI_UPLOAD_MAX_BYTES", text)]).map(|config| config.upload_max_bytes);
        assert_eq!(limit("1000000000").expect("a limit").map(NonZeroU64::get), Some(1_000_000_000));
        for wrong in ["0", "100MB", "-1"] {
            assert!(limit(wrong).expect_err(wrong).to_string().contains("LUCI_UPLOAD_MAX_BYTES"), "{wrong}");
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once_and_no_secret_with_them() {
        let wrong = read(&[
            ("LUCI_LISTEN", "8080"),
            ("LUCI_DATABASE_URL", "mysql://me:hunter2@db/x"),
            ("LUCI_MASTER_KEY", "hunter2"),
            ("LUCI_APOLLO_KEY", "hunter2 two"),
            ("LUCI_LOG_FORMAT", "xml"),
            ("LUCI_STORE_URL", "ftp://x"),
            ("LUCI_LISTEM", "127.0.0.1:1"),
        ])
        .expect_err("seven mistakes");
        let names: Vec<&str> = wrong.0.iter().map(|mistake| mistake.variable.as_str()).collect();
        let all = [
            "LUCI_LISTEN",
            "LUCI_DATABASE_URL",
            "LUCI_STORE_URL",
            "LUCI_MASTER_KEY",
            "LUCI_APOLLO_KEY",
            "LUCI_LOG_FORMAT",
            "LUCI_LISTEM",
        ];
        assert_eq!(names, all);
        assert!(!wrong.to_string().contains("hunter2"), "{wrong}");
    }

    #[test]
    fn addresses_lose_their_last_slash() {
        let config = read(&[("LUCI_URL", "https://luci.example/")]).expect("right");
        assert_eq!(config.url.as_deref(), Some("https://luci.example"));
    }
}
