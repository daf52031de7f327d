//! Postgres and NATS of an instance: those of the configuration, or private ones in the data folder.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use super::{Durability, Folder, InstanceFile, Lifetime, LocalError, Nats, Postgres, PrivateServers, Search};
use crate::{
    broker::{BrokerAccess, Passwords},
    config::Config,
    process::telemetry,
};

/// URLs of both servers, and those of them that are private: started, restarted and stopped by us.
#[derive(Debug)]
pub struct Servers {
    pub database_url: SecretString,
    pub broker: BrokerAccess,
    passwords: Passwords,
    postgres: Option<Postgres>,
    nats: Option<Nats>,
}

impl Servers {
    /// Starts the servers that the configuration does not name, both at the same time. A URL that `luci env` printed for
    /// this folder's private server, and that is still set in the shell, counts as not named.
    ///
    /// The users of a private nats-server have these passwords.
    pub async fn start(config: &Config, folder: &Folder, passwords: Passwords) -> Result<Self, LocalError> {
        let previous = InstanceFile::read(&folder.path).ok().flatten();
        let private =
            |is_private: fn(&PrivateServers) -> bool| previous.as_ref().filter(|file| is_private(&file.private));
        let private_database = private(|private| private.database).map(|file| file.database_url.as_str());
        let external_database = external(config.database_url.as_ref(), private_database.as_slice());
        let private_nats = private(|private| private.nats).map(InstanceFile::nats_urls).unwrap_or_default();
        let external_nats = external(config.nats_url.as_ref(), &private_nats);
        // Whoever forgot that a shell has another instance's variables finds out why the folder does not fit.
        for (name, used) in
            [("LUCI_DATABASE_URL", external_database.is_some()), ("LUCI_NATS_URL", external_nats.is_some())]
        {
            if used {
                telemetry::notice(format_args!("using the server of {name}"));
            }
        }
        let (search, start_postgres, start_nats) =
            (&config.search, external_database.is_none(), external_nats.is_none());
        let (postgres, nats) = tokio::task::block_in_place(|| {
            std::thread::scope(|scope| {
                let nats =
                    start_nats.then(|| scope.spawn(|| Nats::start(search, folder, &passwords, Lifetime::Outlives)));
                let postgres = start_postgres
                    .then(|| Postgres::start(search, folder, Durability::Fsync, Lifetime::Outlives))
                    .transpose();
                let nats =
                    nats.map(|starting| starting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
                (postgres, nats.transpose())
            })
        });
        // When one fails to start, the other is stopped.
        let (postgres, nats) = match (postgres, nats) {
            (Ok(postgres), Ok(nats)) => (postgres, nats),
            (Err(error), nats) => {
                nats.ok().flatten().map(Nats::stop);
                return Err(error);
            }
            (postgres, Err(error)) => {
                postgres.ok().flatten().map(Postgres::stop);
                return Err(error);
            }
        };
        let database_url = external_database.or(postgres.as_ref().map(|postgres| postgres.url("luci").into()));
        let broker =
            external_nats.and_then(|url| config.nats.access(Some(url), &[])).or(nats.as_ref().map(Nats::access));
        let (Some(database_url), Some(broker)) = (database_url, broker) else {
            unreachable!("a server that is not external was started");
        };
        Ok(Self { database_url, broker, passwords, postgres, nats })
    }

    /// Restarts a private server that died (by the OOM killer, say), until `stop`. Its URL stays the same, and the roles
    /// reconnect.
    pub async fn supervise(mut self, search: Search, folder: Folder, stop: CancellationToken) -> (Self, Folder) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return (self, folder),
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
            tokio::task::block_in_place(|| self.restart_dead(&search, &folder));
        }
    }

    fn restart_dead(&mut self, search: &Search, folder: &Folder) {
        if self.postgres.as_mut().is_some_and(|postgres| !postgres.is_running()) {
            let pid = self.postgres.as_ref().map(Postgres::pid);
            tracing::error!(pid, "private Postgres died, restarting");
            match Postgres::start(search, folder, Durability::Fsync, Lifetime::Outlives) {
                Ok(postgres) => {
                    tracing::info!(pid = postgres.pid(), port = postgres.port(), "private Postgres restarted");
                    self.postgres = Some(postgres);
                }
                Err(error) => tracing::error!(%error, "private Postgres failed to restart"),
            }
        }
        if self.nats.as_mut().is_some_and(|nats| !nats.is_running()) {
            let pid = self.nats.as_ref().map(Nats::pid);
            tracing::error!(pid, "private nats-server died, restarting");
            match Nats::start(search, folder, &self.passwords, Lifetime::Outlives) {
                Ok(nats) => {
                    tracing::info!(pid = nats.pid(), port = nats.port(), "private nats-server restarted");
                    self.nats = Some(nats);
                }
                Err(error) => tracing::error!(%error, "private nats-server failed to restart"),
            }
        }
    }

    /// Stops the private servers.
    pub async fn stop(self) {
        let (postgres, nats) = (self.postgres, self.nats);
        tokio::task::block_in_place(|| {
            if let Some(nats) = nats {
                let pid = nats.pid();
                if !nats.stop() {
                    tracing::warn!(pid, "private nats-server did not stop in time, killed");
                }
            }
            if let Some(postgres) = postgres {
                let pid = postgres.pid();
                if !postgres.stop() {
                    tracing::warn!(pid, "private Postgres did not stop in time, killed");
                }
            }
        });
    }

    pub fn private(&self) -> PrivateServers {
        PrivateServers { database: self.postgres.is_some(), nats: self.nats.is_some() }
    }
}

/// The configured URL, unless it is one of the folder's private server.
fn external(configured: Option<&SecretString>, private: &[&str]) -> Option<SecretString> {
    configured.filter(|url| !private.contains(&url.expose_secret())).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_a_private_server_is_not_external() {
        let url = SecretString::from("postgres://luci@127.0.0.1:1/luci");
        assert!(external(Some(&url), &["postgres://luci@127.0.0.1:1/luci"]).is_none());
        assert!(external(Some(&url), &["postgres://luci@127.0.0.1:2/luci"]).is_some());
        assert!(external(Some(&url), &[]).is_some());
        assert!(external(None, &[]).is_none());
    }
}
