//! One process of the cluster, which is started, signalled, killed and waited for.

use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    time::Duration,
};

use tokio::{sync::Mutex, time::Instant};

use crate::support::{command, on_server_thread, signal};

/// Longer than the drain of a process (20 s).
const MAX_DRAIN: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(20);

pub struct Member {
    pub name: String,
    role: &'static str,
    /// Its own data folder, with its log.
    folder: PathBuf,
    variables: Vec<(&'static str, String)>,
    child: Mutex<Option<Child>>,
}

impl Member {
    /// `shared` are the settings that all processes have.
    pub fn new(name: String, role: &'static str, folder: &Path, shared: &[(&'static str, String)]) -> Self {
        let mut variables = shared.to_vec();
        variables.push(("LUCI_INSTANCE", name.clone()));
        if role == "gateway" {
            // A port of its own, the same after each start.
            let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
            variables.push(("LUCI_LISTEN", free.to_string()));
        }
        let folder = folder.join(&name);
        std::fs::create_dir_all(&folder).expect("a folder");
        Self { name, role, folder, variables, child: Mutex::default() }
    }

    /// Where the gateway listens.
    pub fn url(&self) -> Option<String> {
        let listen = self.variables.iter().find(|(name, _)| *name == "LUCI_LISTEN")?;
        Some(format!("http://{}", listen.1))
    }

    pub fn set(&mut self, name: &'static str, value: String) {
        self.variables.push((name, value));
    }

    pub async fn start(&self) {
        let mut child = self.child.lock().await;
        assert!(child.is_none(), "{} runs already", self.name);
        let mut command = command(&self.folder, &["serve", self.role]);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let log = File::options().create(true).append(true).open(self.folder.join("log")).expect("a file");
        command.stdout(Stdio::null()).stderr(log);
        let spawn = move || on_server_thread(move || command.spawn().expect("it starts"));
        *child = Some(tokio::task::spawn_blocking(spawn).await.expect("it starts"));
    }

    /// How it ended, if it did.
    pub async fn ended(&self) -> Option<ExitStatus> {
        let mut child = self.child.lock().await;
        let status = child.as_mut()?.try_wait().expect("our own child")?;
        *child = None;
        Some(status)
    }

    pub async fn signal(&self, name: &str) {
        if let Some(child) = &*self.child.lock().await {
            signal(name, child.id());
        }
    }

    pub async fn kill(&self) {
        self.signal("-KILL").await;
        self.wait(MAX_DRAIN).await;
    }

    /// SIGTERM. Returns how long it took to end, or none when it had to be killed.
    pub async fn terminate(&self) -> Option<Duration> {
        let began = Instant::now();
        self.signal("-TERM").await;
        if self.wait(MAX_DRAIN).await {
            return Some(began.elapsed());
        }
        self.kill().await;
        None
    }

    /// kill -9 without waiting, at the end of a test.
    pub fn end_now(&mut self) {
        if let Some(mut child) = self.child.get_mut().take() {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }

    /// Whether it ended in time.
    async fn wait(&self, most: Duration) -> bool {
        let until = Instant::now() + most;
        while self.child.lock().await.is_some() {
            if self.ended().await.is_none() {
                if Instant::now() > until {
                    return false;
                }
                tokio::time::sleep(POLL).await;
            }
        }
        true
    }
}
