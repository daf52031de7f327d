//! The cluster: a private Postgres and NATS, sandbox providers and carriers, and thirteen processes.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use luci::local::{Durability, Folder, Lifetime, Postgres};
use luci_sandbox::{Carriers, KEY, Sandbox, SandboxOptions, TOKEN};
use luci_schema::seal::SealKey;
use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection};
use tokio::sync::Mutex;

use super::member::Member;
use crate::support::{
    self, MASTER_KEY, Nats, eventually, on_server_thread, output, processes_in, search, signal, temp_dir,
};

const ROLES: [(&str, usize); 6] =
    [("gateway", 2), ("engine", 3), ("projections", 2), ("relay", 2), ("clock", 2), ("sender", 2)];

pub struct Cluster {
    pub members: Vec<Member>,
    pub nats: Mutex<Nats>,
    pub sandbox: Sandbox,
    pub carriers: Carriers,
    pub database_url: String,
    /// The owner's key.
    pub key: String,
    folder: PathBuf,
    variables: Vec<(&'static str, String)>,
    postgres: Mutex<Option<PostgresServer>>,
}

/// How Postgres ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostgresEnd {
    Fast,
    Killed,
}

struct PostgresServer {
    server: Postgres,
    folder: Folder,
}

impl PostgresServer {
    async fn start(folder: Folder) -> Self {
        let start = move || {
            let server = Postgres::start(&search(), &folder, Durability::None, Lifetime::WithStarter);
            Self { server: server.unwrap_or_else(|error| panic!("{error}")), folder }
        };
        tokio::task::spawn_blocking(move || on_server_thread(start)).await.expect("it starts")
    }

    /// Also waits until the server's other processes have noticed that it is gone.
    async fn end(self, how: PostgresEnd) -> Folder {
        let data = self.folder.servers.join("postgres");
        let processes = processes_in(&data);
        match how {
            PostgresEnd::Fast => drop(tokio::task::spawn_blocking(move || self.server.stop()).await),
            PostgresEnd::Killed => {
                signal("-KILL", self.server.pid());
                // Reaps it.
                drop(tokio::task::spawn_blocking(move || self.server.stop()).await);
            }
        }
        eventually("all processes of Postgres have ended", async || processes_in(&data).is_disjoint(&processes)).await;
        self.folder
    }
}

impl Cluster {
    pub async fn start() -> Self {
        let folder = temp_dir("chaos");
        let server = PostgresServer::start(Folder::open(&folder.join("servers")).expect("a folder")).await;
        let database_url = server.server.url("luci");
        commits_survive_a_kill(&database_url).await;
        let delay = Duration::from_millis(40);
        let sandbox = SandboxOptions { delay, ledger_people: 10_000_000, ..SandboxOptions::default() };
        let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into(), sandbox).await.expect("a port");
        let carriers = Carriers::start(([127, 0, 0, 1], 0).into(), Duration::from_millis(15)).await.expect("a port");
        let nats = support::nats().await;
        let seal_key = folder.join("seal.key");
        std::fs::write(&seal_key, SealKey::generate_pem().expect("random bytes")).expect("a file");
        let of_sandbox = |url, key| [(url, sandbox.url()), (key, sandbox.key().to_owned())];
        let mut variables = vec![
            ("LUCI_DATABASE_URL", database_url.clone()),
            ("LUCI_NATS_URL", nats.url().to_owned()),
            ("LUCI_STORE_URL", format!("file://{}", folder.join("objects").display())),
            ("LUCI_MASTER_KEY", MASTER_KEY.to_owned()),
            ("LUCI_SEAL_KEY", seal_key.display().to_string()),
            // More than the default daily limit of a tenant.
            ("LUCI_REALESTATE_TENANT_PER_DAY", "1000000".to_owned()),
            ("LUCI_SIGNALHOUSE_URL", carriers.url()),
            ("LUCI_SIGNALHOUSE_ACCOUNT", KEY.to_owned()),
            ("LUCI_SIGNALHOUSE_KEY", TOKEN.to_owned()),
        ];
        variables.extend(of_sandbox("LUCI_APOLLO_URL", "LUCI_APOLLO_KEY"));
        variables.extend(of_sandbox("LUCI_REALESTATE_URL", "LUCI_REALESTATE_KEY"));
        let mut members = Vec::new();
        for (role, number) in ROLES {
            members.extend((1..=number).map(|n| Member::new(format!("{role}-{n}"), role, &folder, &variables)));
        }
        let public_url = members[0].url().expect("a gateway");
        variables.push(("LUCI_PUBLIC_URL", public_url.clone()));
        members.iter_mut().for_each(|member| member.set("LUCI_PUBLIC_URL", public_url.clone()));
        let postgres = Mutex::new(Some(server));
        let (nats, key) = (Mutex::new(nats), String::new());
        let mut cluster = Self { members, nats, sandbox, carriers, database_url, key, folder, variables, postgres };
        cluster.run(&["migrate"]).await.expect("migrated");
        let tenant = cluster.run(&["tenant", "create", "Chaos", "--json"]).await.expect("a tenant");
        let tenant: Value = serde_json::from_str(&tenant).expect("JSON");
        cluster.key = tenant["apiKey"].as_str().expect("a key").to_owned();
        for member in &cluster.members {
            member.start().await;
        }
        cluster
    }

    /// Runs a command to its end; what it wrote is the error when it fails.
    pub async fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let variables: Vec<(&str, &str)> = self.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let output = output(&self.folder, arguments, &variables).await;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        Err(format!("{}\n{}", text(&output.stdout), text(&output.stderr)))
    }

    pub async fn restart_postgres(&self, how: PostgresEnd, pause: Duration) {
        let mut postgres = self.postgres.lock().await;
        let folder = postgres.take().expect("it runs").end(how).await;
        tokio::time::sleep(pause).await;
        *postgres = Some(PostgresServer::start(folder).await);
    }

    /// Files of this run, which its end does not delete.
    pub fn keep(&self) -> &Path {
        &self.folder
    }
}

/// A database's setting counts more than the server's: the servers of the tests do not wait for the WAL, which only a kill of
/// Postgres shows. Without fsync a commit survives the process, but not the machine.
async fn commits_survive_a_kill(url: &str) {
    let mut owner = PgConnection::connect(url).await.expect("the private Postgres");
    owner.execute("alter database luci set synchronous_commit = on").await.expect("altered");
    owner.close().await.expect("closed");
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The processes end with this one; those that sleep must not wait for it.
        for member in &mut self.members {
            member.end_now();
        }
        if let Some(PostgresServer { server, .. }) = self.postgres.get_mut().take() {
            server.stop();
        }
    }
}
