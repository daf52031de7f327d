//! `luci env`: URLs and API key of the instance in a data folder, as shell exports.

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use super::{Outcome, out};
use crate::{
    config::Config,
    local::{Credentials, InstanceFile},
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
        let lines = [
            ("LUCI_URL", Some(instance.url)),
            ("LUCI_API_KEY", key),
            ("LUCI_DATABASE_URL", Some(instance.database_url)),
            ("LUCI_NATS_URL", instance.nats_reader_url.or(Some(instance.nats_url))),
            ("LUCI_STORE_URL", Some(instance.store_url)),
        ];
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
