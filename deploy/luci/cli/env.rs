//! `luci env`: URLs and API key of the instance in a data folder, as shell exports.

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use super::{Outcome, out};
use crate::{
    config::Config,
    local::{Credentials, InstanceFile},
    process::telemetry,
};

#[derive(Debug, Args)]
pub struct Env {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Env {
    pub fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let dir = &config.data_dir;
        let Some(instance) = InstanceFile::read(dir).context("cannot read the data folder")? else {
            bail!("no instance has run in {}; start one with `luci up --data-dir {0}`", dir.display());
        };
        let key = Credentials::first(dir)?.map(|credentials| credentials.api_key);
        if !instance.is_running() {
            let dir = dir.display();
            telemetry::notice(format_args!("the instance in {dir} is stopped: luci --data-dir {dir} up"));
        }
        let store = instance.store_address().map(|store| store.variables()).unwrap_or_default();
        let mut lines = vec![
            ("LUCI_URL", Some(instance.url)),
            ("LUCI_API_KEY", key),
            ("LUCI_DATABASE_URL", Some(instance.database_url)),
            ("LUCI_NATS_URL", instance.nats_reader_url.or(Some(instance.nats_url))),
        ];
        lines.extend(store.iter().map(|(name, value)| (name.as_str(), Some(value.clone()))));
        if self.json {
            out::json(&lines.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect())?;
            return Ok(Outcome::Done);
        }
        for (name, value) in lines {
            if let Some(value) = value {
                out::line(&format!("export {name}={}", quoted(&value)))?;
            }
        }
        Ok(Outcome::Done)
    }
}

/// Quoted for a shell.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_reads_the_value_back() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
