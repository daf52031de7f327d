//! `pg_dump` and `pg_restore`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::process::Command;
use url::Url;

use crate::config::Search;

/// The folder of both programs; they must not be older than the server.
pub struct PostgresTools(PathBuf);

impl PostgresTools {
    pub fn find(search: &Search) -> anyhow::Result<Self> {
        Ok(Self(search.postgres(None)?))
    }

    /// A dump of what `snapshot`, which another connection holds, sees.
    pub async fn dump(&self, url: &SecretString, snapshot: &str, file: &Path) -> anyhow::Result<()> {
        let mut command = self.command("pg_dump", url)?;
        command.args(["--format=custom", "--no-owner", "--snapshot", snapshot, "--file"]).arg(file);
        run("pg_dump", command).await.map(drop)
    }

    /// The entries of a dump, one a line, with their owners.
    pub async fn list(&self, file: &Path) -> anyhow::Result<String> {
        let mut command = Command::new(self.0.join("pg_restore"));
        command.arg("--list").arg(file);
        run("pg_restore --list", command).await
    }

    /// Restores a dump into an empty database. Everything belongs to the login then.
    pub async fn restore(&self, url: &SecretString, file: &Path) -> anyhow::Result<()> {
        let mut command = self.command("pg_restore", url)?;
        let database = Url::parse(url.expose_secret())?.path().trim_start_matches('/').to_owned();
        command.args(["--no-owner", "--exit-on-error", "--dbname", &database]).arg(file);
        run("pg_restore", command).await.map(drop)
    }

    /// The address goes by environment: arguments are visible to every user of the machine.
    fn command(&self, program: &str, url: &SecretString) -> anyhow::Result<Command> {
        let url = Url::parse(url.expose_secret()).context("cannot parse the database URL")?;
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let mut command = Command::new(self.0.join(program));
        let mut set = |name: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                command.env(name, value);
            }
        };
        set("PGHOST", url.host_str().map(str::to_owned));
        set("PGPORT", url.port().map(|port| port.to_string()));
        set("PGUSER", Some(decoded(url.username())));
        set("PGPASSWORD", url.password().map(decoded));
        set("PGDATABASE", Some(decoded(url.path().trim_start_matches('/'))));
        for (name, value) in url.query_pairs() {
            match &*name {
                "sslmode" => set("PGSSLMODE", Some(value.into_owned())),
                "sslrootcert" => set("PGSSLROOTCERT", Some(value.into_owned())),
                "host" => set("PGHOST", Some(value.into_owned())),
                _ => {}
            }
        }
        Ok(command)
    }
}

/// What the program printed.
async fn run(program: &str, mut command: Command) -> anyhow::Result<String> {
    let output = command.output().await.with_context(|| format!("cannot run {program}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    bail!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim())
}
