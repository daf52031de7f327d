//! `luci up` of the real binary with its own servers, its commands, and what can be killed of it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use luci_sandbox::Sandbox;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Ended with its servers when it is dropped.
pub struct Up {
    child: Mutex<Child>,
    data: PathBuf,
    /// The same after each start.
    listen: String,
    variables: Vec<(String, String)>,
}

/// How a caller reaches a tenant.
#[derive(Debug, Clone)]
pub struct Access {
    pub url: String,
    pub key: String,
}

#[derive(Debug, Clone, Copy)]
pub enum Victim {
    Luci,
    Postgres,
    Nats,
}

impl Victim {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Luci => "luci",
            Self::Postgres => "Postgres",
            Self::Nats => "nats-server",
        }
    }
}

/// The settings for the sandbox's providers, without daily limits.
pub fn providers_of(sandbox: &Sandbox) -> Vec<(String, String)> {
    let of = |provider: &str| {
        let name = |what: &str| format!("LUCI_{provider}_{what}");
        let limit = (name("TENANT_PER_DAY"), "10000000".to_owned());
        [(name("URL"), sandbox.url()), (name("KEY"), sandbox.key().to_owned()), limit]
    };
    ["APOLLO", "REALESTATE"].iter().flat_map(|provider| of(provider)).collect()
}

impl Up {
    pub async fn start(data: PathBuf, variables: Vec<(String, String)>) -> anyhow::Result<Self> {
        let listen = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let child = Mutex::new(spawn(&data, &listen, &variables)?);
        let up = Self { child, data, listen, variables };
        for _ in 0..300 {
            if up.first().is_ok() {
                return Ok(up);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::bail!("luci up does not come up")
    }

    /// A command in the instance's folder.
    pub fn luci(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_luci"));
        command.args(args).arg("--data-dir").arg(&self.data).stderr(Stdio::null());
        command
    }

    /// What `luci env` prints.
    pub fn env(&self) -> anyhow::Result<Value> {
        json(self.luci(&["env", "--json"]))
    }

    /// The tenant of the first start.
    pub fn first(&self) -> anyhow::Result<Access> {
        let env = self.env()?;
        let text = |name: &str| env[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
        Ok(Access { url: text("LUCI_URL")?, key: text("LUCI_API_KEY")? })
    }

    pub fn another(&self, name: &str) -> anyhow::Result<Access> {
        let mut create = self.luci(&["tenant", "create", name, "--json"]);
        create.env("LUCI_DATABASE_URL", self.database_url()?);
        let key = json(create)?["apiKey"].as_str().context("no key")?.to_owned();
        Ok(Access { url: self.first()?.url, key })
    }

    pub fn database_url(&self) -> anyhow::Result<String> {
        Ok(self.env()?["LUCI_DATABASE_URL"].as_str().context("no database")?.to_owned())
    }

    pub fn pid(&self) -> u32 {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// kill -9. `luci up` starts its servers again; it is started again here.
    pub fn kill(&self, victim: Victim) -> anyhow::Result<()> {
        match victim {
            Victim::Postgres => kill_9(first_number(&self.data.join("postgres/postmaster.pid"))?),
            Victim::Nats => kill_9(first_number(&self.data.join("nats/nats.pid"))?),
            Victim::Luci => {
                let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
                kill_9(child.id())?;
                child.wait()?;
                *child = spawn(&self.data, &self.listen, &self.variables)?;
                Ok(())
            }
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It may have ended already.
        let _gone = kill_process(Pid::from_child(child), Signal::TERM);
        let _ended = child.wait();
    }
}

fn spawn(data: &Path, listen: &str, variables: &[(String, String)]) -> anyhow::Result<Child> {
    let mut up = Command::new(env!("CARGO_BIN_EXE_luci"));
    up.args(["up", "--listen", listen, "--data-dir"]).arg(data).env("LUCI_LOG", "error");
    up.envs(variables.iter().map(|(name, value)| (name, value)));
    Ok(up.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

/// Runs a command and returns the JSON of its last line.
pub fn json(mut command: Command) -> anyhow::Result<Value> {
    let out = command.output()?;
    ensure!(out.status.success(), "{command:?} ended with {}", out.status);
    let last = out.stdout.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).context("no answer")?;
    Ok(serde_json::from_slice(last)?)
}

pub fn kill_9(pid: u32) -> anyhow::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no process")?;
    Ok(kill_process(pid, Signal::KILL)?)
}

/// A line of `/proc/{pid}/status` in KiB: `VmRSS` (resident memory) or `VmHWM` (its peak).
pub fn memory_kib(pid: u32, line: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':'))?;
    value.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// The process id in the first line of a pid file.
fn first_number(file: &Path) -> anyhow::Result<u32> {
    let text = fs::read_to_string(file).with_context(|| format!("no {}", file.display()))?;
    Ok(text.lines().next().unwrap_or_default().trim().parse()?)
}
