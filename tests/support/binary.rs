//! The real binary, to be killed: `luci up` in a data folder of its own.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

use super::{
    api::Api,
    database::Database,
    nats::Nats,
    servers::{on_server_thread, temp_dir},
    wait::eventually,
};

/// The servers that `luci up` uses.
#[derive(Debug, Clone)]
pub enum Servers {
    /// Private ones in its data folder, with fsync.
    Private,
    /// The test's.
    Of { database_url: String, nats_url: String },
}

impl Servers {
    pub fn on(database: &Database, nats: &Nats) -> Self {
        Self::Of { database_url: database.url().to_owned(), nats_url: nats.url().to_owned() }
    }
}

/// A data folder, and the process in it when one runs.
#[derive(Debug)]
pub struct Luci {
    pub data_dir: PathBuf,
    servers: Servers,
    /// Further settings.
    variables: Vec<(&'static str, String)>,
    child: Option<Child>,
    /// Its output when it was ready: `{url, dataDir, readyMs}`.
    pub ready: Value,
}

/// Starts `luci up` and waits until it is ready.
pub async fn luci(servers: Servers) -> Luci {
    luci_with(servers, Vec::new()).await
}

/// The same with settings of its own.
pub async fn luci_with(servers: Servers, variables: Vec<(&'static str, String)>) -> Luci {
    let mut luci = Luci { data_dir: temp_dir("luci"), servers, variables, child: None, ready: Value::Null };
    luci.start().await;
    luci
}

/// The program with these arguments, in an environment of its own.
pub fn command(data_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--pdeathsig", "KILL", "--", env!("CARGO_BIN_EXE_luci"), "--data-dir"]).arg(data_dir);
    command.args(arguments).env_clear().stdin(Stdio::null());
    // `PATH` finds setpriv and the servers' programs; nothing else of the developer's settings may matter.
    for (name, value) in luci::config::search_variables() {
        command.env(name, value);
    }
    command
}

/// Runs the program to its end, with these variables set.
pub async fn output(data_dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = command(data_dir, arguments);
    command.envs(variables.iter().copied());
    tokio::task::spawn_blocking(move || on_server_thread(move || command.output().expect("it runs")))
        .await
        .expect("it ends")
}

/// Starts the program in an environment of its own, to be killed; it ends with the tests.
pub async fn process(arguments: &[&str], variables: Vec<(&'static str, String)>) -> Child {
    let mut command = command(&temp_dir("process"), arguments);
    command.envs(variables).stdout(Stdio::null()).stderr(Stdio::null());
    let started = tokio::task::spawn_blocking(move || on_server_thread(move || command.spawn().expect("it starts")));
    started.await.expect("it starts")
}

/// The same in a folder that is there already.
pub async fn luci_in(data_dir: PathBuf, servers: Servers) -> Luci {
    let mut luci = Luci { data_dir, servers, variables: Vec::new(), child: None, ready: Value::Null };
    luci.start().await;
    luci
}

impl Luci {
    /// Starts it again in the same folder, at the same address.
    pub async fn start(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let listen = self.ready["url"].as_str().and_then(|url| url.strip_prefix("http://")).unwrap_or("127.0.0.1:0");
        let mut command = command(&self.data_dir, &["up", "--json", "--listen", listen]);
        if let Servers::Of { database_url, nats_url } = &self.servers {
            command.env("LUCI_DATABASE_URL", database_url).env("LUCI_NATS_URL", nats_url);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let log =
            std::fs::File::options().create(true).append(true).open(self.data_dir.join("luci.log")).expect("a file");
        command.stdout(Stdio::piped()).stderr(log);
        let log = self.data_dir.join("luci.log");
        let started = tokio::task::spawn_blocking(move || {
            let mut child = on_server_thread(move || command.spawn().expect("it starts"));
            let mut line = String::new();
            BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
            (child, line)
        });
        let (child, line) = started.await.expect("it starts");
        let stderr = || std::fs::read_to_string(&log).unwrap_or_default();
        self.ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready, stderr:\n{}", stderr()));
        self.child = Some(child);
    }

    /// The processes of its private servers that live now.
    pub fn servers(&self) -> Vec<u32> {
        let files = ["postgres/postmaster.pid", "nats/nats.pid"].map(|file| self.data_dir.join(file));
        // A zombie has no arguments any more.
        let lives =
            |pid: &u32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|arguments| !arguments.is_empty());
        files.iter().filter_map(|file| pid_in(file)).filter(lives).collect()
    }

    /// kill -9 of its private Postgres; the other server processes end when they notice that the postmaster is gone.
    pub async fn kill_postgres(&self) -> u32 {
        let folder = self.data_dir.join("postgres");
        let pid = pid_in(&folder.join("postmaster.pid")).expect("a Postgres of its own");
        let servers = processes_in(&folder);
        signal("-KILL", pid);
        eventually("all processes of the killed Postgres have ended", async || {
            processes_in(&folder).is_disjoint(&servers)
        })
        .await;
        pid
    }

    /// A further setting, from its next start on.
    pub fn set(&mut self, name: &'static str, value: String) {
        self.variables.push((name, value));
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// The owner's key and the address, as its data folder says.
    pub fn api(&self) -> Api {
        let text = std::fs::read_to_string(self.data_dir.join("credentials.json")).expect("credentials");
        let credentials: Value = serde_json::from_str(&text).expect("JSON");
        let url = self.ready["url"].as_str().expect("an address").to_owned();
        Api::new(url, credentials["apiKey"].as_str().expect("a key"))
    }

    /// kill -9.
    pub async fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        child.kill().expect("it ran");
        tokio::task::spawn_blocking(move || child.wait()).await.expect("joined").expect("it ended");
    }

    /// SIGTERM; answers how it ended.
    pub async fn stop(&mut self) -> std::process::ExitStatus {
        let mut child = self.child.take().expect("it runs");
        signal("-TERM", child.id());
        tokio::task::spawn_blocking(move || child.wait()).await.expect("joined").expect("it ended")
    }
}

/// Sends a signal (`-STOP`) to a process.
pub fn signal(signal: &str, pid: u32) {
    // The shell's builtin: a small machine has no program `kill`.
    let _gone = Command::new("sh").args(["-c", &format!("kill {signal} {pid}")]).stderr(Stdio::null()).status();
}

/// The processes that work in a folder.
pub fn processes_in(folder: &Path) -> BTreeSet<u32> {
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    let inside =
        processes.filter(|process| std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == folder));
    inside.filter_map(|process| process.file_name().to_str()?.parse().ok()).collect()
}

/// The first line of a file, as a process id.
fn pid_in(path: &Path) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.lines().next()?.trim().parse().ok()
}

impl Drop for Luci {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
        // Private servers outlive a killed process; they must not outlive the test.
        for pid in self.servers() {
            signal("-QUIT", pid);
        }
    }
}
