//! Where Postgres and NATS are: those that the configuration names, or private ones in the data folder.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    instance::{Instance, Own},
    local::{Durability, Folder, Lifetime, LocalError, Nats, Postgres, Search},
};

/// The two servers everything stands on, and the ones among them that are ours to stop.
#[derive(Debug)]
pub struct Servers {
    pub database_url: SecretString,
    pub nats_url: SecretString,
    postgres: Option<Postgres>,
    nats: Option<Nats>,
}

impl Servers {
    /// Starts what the configuration does not name; both at once. What `luci env` told of this folder's own servers, and a
    /// shell still holds, names nobody else's.
    pub async fn start(config: &Config, folder: &Folder) -> Result<Self, LocalError> {
        let before = Instance::read(&folder.path).ok().flatten();
        let own = |is: fn(&Own) -> bool, url: fn(&Instance) -> &str| before.as_ref().filter(|i| is(&i.own)).map(url);
        let named_database = others(config.database_url.as_ref(), own(|own| own.database, |i| &i.database_url));
        let named_nats = others(config.nats_url.as_ref(), own(|own| own.nats, |i| &i.nats_url));
        let (search, postgres_wanted, nats_wanted) = (&config.search, named_database.is_none(), named_nats.is_none());
        let (postgres, nats) = tokio::task::block_in_place(|| {
            std::thread::scope(|scope| {
                let nats = nats_wanted.then(|| scope.spawn(|| Nats::start(search, folder, Lifetime::Outlives)));
                let postgres = postgres_wanted
                    .then(|| Postgres::start(search, folder, Durability::Fsync, Lifetime::Outlives))
                    .transpose();
                let nats =
                    nats.map(|starting| starting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
                (postgres, nats.transpose())
            })
        });
        // One that started although the other did not is stopped again.
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
        let database_url = named_database.or(postgres.as_ref().map(|postgres| postgres.url("luci").into()));
        let nats_url = named_nats.or(nats.as_ref().map(|nats| nats.url().into()));
        let (Some(database_url), Some(nats_url)) = (database_url, nats_url) else {
            unreachable!("what is not named was started");
        };
        Ok(Self { database_url, nats_url, postgres, nats })
    }

    /// Starts a server of ours again when it died (killed for memory, say), until `stop`. The roles reconnect by
    /// themselves, since the address stays.
    pub async fn keep(mut self, search: Search, folder: Folder, stop: CancellationToken) -> (Self, Folder) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return (self, folder),
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
            tokio::task::block_in_place(|| self.revive(&search, &folder));
        }
    }

    fn revive(&mut self, search: &Search, folder: &Folder) {
        if self.postgres.as_mut().is_some_and(|postgres| !postgres.lives()) {
            tracing::error!("the private Postgres died and is started again");
            match Postgres::start(search, folder, Durability::Fsync, Lifetime::Outlives) {
                Ok(postgres) => self.postgres = Some(postgres),
                Err(error) => tracing::error!(%error, "the private Postgres did not start"),
            }
        }
        if self.nats.as_mut().is_some_and(|nats| !nats.lives()) {
            tracing::error!("the private nats-server died and is started again");
            match Nats::start(search, folder, Lifetime::Outlives) {
                Ok(nats) => self.nats = Some(nats),
                Err(error) => tracing::error!(%error, "the private nats-server did not start"),
            }
        }
    }

    /// Stops those that are ours.
    pub async fn stop(self) {
        let (postgres, nats) = (self.postgres, self.nats);
        tokio::task::block_in_place(|| {
            let clean = nats.is_none_or(Nats::stop) & postgres.is_none_or(Postgres::stop);
            if !clean {
                tracing::warn!("a private server had to be killed");
            }
        });
    }

    /// The addresses with their passwords, for `luci env`.
    pub fn addresses(&self) -> (String, String) {
        (self.database_url.expose_secret().to_owned(), self.nats_url.expose_secret().to_owned())
    }

    pub fn own(&self) -> Own {
        Own { database: self.postgres.is_some(), nats: self.nats.is_some() }
    }
}

/// The server that is named, unless it is the folder's own.
fn others(named: Option<&SecretString>, own: Option<&str>) -> Option<SecretString> {
    named.filter(|named| Some(named.expose_secret()) != own).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folders_own_server_is_not_taken_for_anothers() {
        let named = SecretString::from("postgres://luci@127.0.0.1:1/luci");
        assert!(others(Some(&named), Some("postgres://luci@127.0.0.1:1/luci")).is_none());
        assert!(others(Some(&named), Some("postgres://luci@127.0.0.1:2/luci")).is_some());
        assert!(others(Some(&named), None).is_some());
        assert!(others(None, None).is_none());
    }
}
