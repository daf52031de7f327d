//! Processes of the real binary on the bench's servers: one gateway, and two of each other role.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use luci_schema::log::followers;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use super::caller::Caller;
use crate::{
    servers::Servers,
    up::{Access, kill_9},
};

const PAIRS: [&str; 4] = ["engine", "relay", "clock", "projections"];
const MASTER_KEY: &str = "00000000000000000000000000000000000000000000000000000000000000aa";
/// In which a process has started, and tries to acquire its lease.
const START: Duration = Duration::from_secs(3);

pub struct Cluster {
    pub caller: Caller,
    database_url: String,
    members: Vec<Member>,
}

/// A process; killed with the value.
pub struct Member {
    name: String,
    role: &'static str,
    variables: Vec<(&'static str, String)>,
    child: Mutex<Option<Child>>,
}

impl Member {
    pub fn start(&self) -> anyhow::Result<()> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_luci"));
        command.args(["serve", self.role]).envs(self.variables.iter().map(|(name, value)| (*name, value)));
        let child = command.env("LUCI_INSTANCE", &self.name).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        Ok(())
    }

    /// kill -9.
    pub fn kill(&self) -> anyhow::Result<()> {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut child = child.with_context(|| format!("{} does not run", self.name))?;
        kill_9(child.id())?;
        child.wait()?;
        Ok(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.kill();
    }
}

impl Cluster {
    pub async fn start(servers: &Servers) -> anyhow::Result<Self> {
        servers.forget_events().await?;
        let (database_url, dir) = (servers.database().await?, servers.dir().join("cluster"));
        std::fs::create_dir_all(&dir)?;
        let listen = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let variables = vec![
            ("LUCI_DATABASE_URL", database_url.clone()),
            ("LUCI_NATS_URL", servers.nats_url().to_owned()),
            ("LUCI_STORE_URL", format!("file://{}", dir.join("objects").display())),
            ("LUCI_MASTER_KEY", MASTER_KEY.to_owned()),
            ("LUCI_LISTEN", listen.to_string()),
            ("LUCI_PUBLIC_URL", format!("http://{listen}")),
            ("LUCI_DATA_DIR", dir.display().to_string()),
            ("LUCI_LOG", "error".to_owned()),
        ];
        let member = |role, n: usize| Member {
            name: format!("{role}-{n}"),
            role,
            variables: variables.clone(),
            child: Mutex::default(),
        };
        let mut members: Vec<Member> = PAIRS.iter().flat_map(|role| [member(role, 1), member(role, 2)]).collect();
        members.push(member("gateway", 1));
        members.iter().try_for_each(Member::start)?;
        let key = owner_key(&variables, &dir)?;
        let cluster =
            Self { caller: Caller::new(Access { url: format!("http://{listen}"), key })?, database_url, members };
        for role in PAIRS {
            cluster.settled(role).await?;
        }
        let ready = reqwest::Client::new();
        for _ in 0..200 {
            if ready
                .get(format!("http://{listen}/readyz"))
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return Ok(cluster);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("the cluster does not get ready")
    }

    /// The process of the role that holds the follower's lease, or the first.
    pub async fn busy(&self, role: &str, follower: Option<&str>) -> anyhow::Result<&Member> {
        let owner = match follower {
            None => None,
            Some(name) => {
                let mut c = PgConnection::connect(&self.database_url).await?;
                let found = followers(&mut c).await?.into_iter().find(|one| one.name == name && one.held);
                Some(found.and_then(|one| one.owner).with_context(|| format!("nobody holds the lease of {name}"))?)
            }
        };
        let mut of_role = self.members.iter().filter(|member| member.role == role);
        let found = of_role.find(|member| owner.as_ref().is_none_or(|owner| *owner == member.name));
        found.with_context(|| format!("no {role} process holds the lease, {owner:?} does"))
    }

    /// Waits until a process of the role that was started stands by.
    pub async fn settled(&self, role: &str) -> anyhow::Result<()> {
        ensure!(PAIRS.contains(&role), "{role} is no pair");
        tokio::time::sleep(START).await;
        let mut members = self.members.iter().filter(|member| member.role == role);
        let running = members.all(|member| {
            let mut child = member.child.lock().unwrap_or_else(PoisonError::into_inner);
            child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
        });
        ensure!(running, "a {role} process ended within {START:?}");
        Ok(())
    }
}

/// A tenant, as an operator creates it.
fn owner_key(variables: &[(&'static str, String)], dir: &Path) -> anyhow::Result<String> {
    let mut create = Command::new(env!("CARGO_BIN_EXE_luci"));
    create.args(["tenant", "create", "Recovery", "--json", "--data-dir"]).arg(dir);
    let output = create.envs(variables.iter().map(|(name, value)| (*name, value))).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tenant: Value = serde_json::from_slice(&output.stdout)?;
    Ok(tenant["apiKey"].as_str().context("no key")?.to_owned())
}
