//! A private nats-server with JetStream: started or taken over, and stopped.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    LocalError, Search,
    folder::Folder,
    server_process::{Lifetime, Running, command, free_port, is_running, tail},
};
use crate::broker::{self, BrokerAccess, BrokerUser, ClientAccess, Clients, Passwords};

/// A private nats-server with a user for each role, and a WebSocket listener.
#[derive(Debug)]
pub struct Nats {
    running: Running,
    config: PathBuf,
    ports: Ports,
    passwords: Passwords,
}

/// Ports of 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ports {
    clients: u16,
    web_socket: u16,
}

const STOP_TIMEOUT: Duration = Duration::from_secs(15);
const START_TIMEOUT: Duration = Duration::from_secs(30);

impl Nats {
    /// Starts the server of `folder`, or takes it over when an earlier process left it running with the same configuration.
    pub fn start(
        search: &Search,
        folder: &Folder,
        passwords: &Passwords,
        lifetime: Lifetime,
    ) -> Result<Self, LocalError> {
        let dir = folder.servers.join("nats");
        let at = |source| LocalError::Io { path: dir.clone(), source };
        folder.server_dir("nats").map_err(at)?;
        let config = dir.join("nats.conf");
        let written = fs::read_to_string(&config).unwrap_or_default();
        let previous = Ports::parse(&written);
        let passwords = passwords.clone();
        if let Some(pid) = running_pid(&dir, &config) {
            let mut running = Running { pid, child: None };
            match previous {
                Some(ports) if written == ports.config(&dir, &passwords) && is_ready(ports.clients) => {
                    return Ok(Self { running, config, ports, passwords });
                }
                // It has users of an older release, or of another master key.
                _ => running.stop(Signal::TERM, &config, STOP_TIMEOUT),
            };
        }
        let program = search.nats(&folder.servers)?;
        let program = folder.executable(&program).map_err(at)?;
        let ports = Ports::free(previous).map_err(at)?;
        folder.server_file(&config, &ports.config(&dir, &passwords)).map_err(at)?;
        let running = launch(&program, folder, &dir, &config, ports.clients, lifetime)?;
        Ok(Self { running, config, ports, passwords })
    }

    /// `nats://luci_…:…@127.0.0.1:PORT`: contains the user's password, so never log it.
    pub fn url(&self, user: BrokerUser) -> String {
        format!("nats://{}:{}@127.0.0.1:{}", user.name(), self.passwords.of(user), self.ports.clients)
    }

    /// A user for each role.
    pub fn access(&self) -> BrokerAccess {
        let users = BrokerUser::ALL.map(|user| (user, self.url(user).into()));
        BrokerAccess::shared(self.url(BrokerUser::Operator).into()).with_users(users.into(), self.clients())
    }

    /// Where clients connect, without a credential.
    pub fn clients(&self) -> ClientAccess {
        let Ports { clients, web_socket } = self.ports;
        ClientAccess {
            url: format!("nats://127.0.0.1:{clients}"),
            web_socket_url: Some(format!("ws://127.0.0.1:{web_socket}")),
        }
    }

    pub fn port(&self) -> u16 {
        self.ports.clients
    }

    pub fn pid(&self) -> u32 {
        self.running.pid
    }

    pub fn is_running(&mut self) -> bool {
        self.running.is_running(&self.config)
    }

    /// Stops it with SIGTERM. Returns whether it ended in time; else it was killed.
    pub fn stop(mut self) -> bool {
        self.running.stop(Signal::TERM, &self.config, STOP_TIMEOUT)
    }

    /// Kills it, as a crash would.
    pub fn kill(mut self) {
        self.running.stop(Signal::KILL, &self.config, Duration::from_secs(5));
    }
}

impl Ports {
    /// The previous ones if they are free.
    fn free(previous: Option<Self>) -> std::io::Result<Self> {
        let clients = free_port(previous.map(|ports| ports.clients))?;
        loop {
            let web_socket = free_port(previous.map(|ports| ports.web_socket).filter(|port| *port != clients))?;
            if web_socket != clients {
                return Ok(Self { clients, web_socket });
            }
        }
    }

    fn config(&self, dir: &Path, passwords: &Passwords) -> String {
        let Self { clients, web_socket } = self;
        let (dir, accounts) = (dir.display(), broker::accounts(passwords, &Clients::Callout));
        format!(
            "# Written by luci at each start.\n\
             listen: \"127.0.0.1:{clients}\"\n\
             server_name: \"luci-{clients}\"\n\
             pid_file: \"{dir}/nats.pid\"\n\
             log_file: \"{dir}/nats.log\"\n\
             log_size_limit: 10MB\n\
             logfile_max_num: 3\n\
             jetstream {{ store_dir: \"{dir}/jetstream\", max_memory_store: 64MB }}\n\
             # Without TLS: only programs of this machine reach it.\n\
             websocket {{ listen: \"127.0.0.1:{web_socket}\", no_tls: true }}\n\
             {accounts}"
        )
    }

    fn parse(config: &str) -> Option<Self> {
        let mut ports =
            config.split("127.0.0.1:").skip(1).map(|rest| rest.split('"').next().unwrap_or_default().parse());
        let clients = ports.next()?.ok()?;
        // A release without WebSockets wrote one port.
        Some(Self { clients, web_socket: ports.next().and_then(Result::ok).unwrap_or(clients) })
    }
}

fn running_pid(dir: &Path, config: &Path) -> Option<u32> {
    let pid = fs::read_to_string(dir.join("nats.pid")).ok()?.trim().parse().ok()?;
    is_running(pid, config).then_some(pid)
}

/// Whether a nats-server accepts connections: it sends `INFO {…}` first.
fn is_ready(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut line = String::new();
    stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok()
        && BufReader::new(stream).read_line(&mut line).is_ok()
        && line.starts_with("INFO ")
}

fn launch(
    program: &Path,
    folder: &Folder,
    dir: &Path,
    config: &Path,
    port: u16,
    lifetime: Lifetime,
) -> Result<Running, LocalError> {
    let program_name = "nats-server";
    let mut server = command(program, folder.account, lifetime);
    server.arg("-c").arg(config).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = server.spawn().map_err(|source| LocalError::Spawn { program: program_name, source })?;
    let mut running = Running { pid: child.id(), child: Some(child) };
    let deadline = Instant::now() + START_TIMEOUT;
    while !is_ready(port) {
        if running.exit_status().is_some() || Instant::now() > deadline {
            return Err(LocalError::Start { program: program_name, output: tail(&dir.join("nats.log")) });
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(running)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_are_parsed_from_the_configuration() {
        let vault = luci_config::vault::Vault::new(&"5a".repeat(32).into()).expect("a master key");
        let passwords = Passwords::new(&vault).expect("passwords");
        let ports = Ports { clients: 4_222, web_socket: 4_223 };
        assert_eq!(Ports::parse(&ports.config(Path::new("/data/nats"), &passwords)), Some(ports));
        assert_eq!(Ports::parse("listen: \"127.0.0.1:4222\"\n"), Some(Ports { clients: 4_222, web_socket: 4_222 }));
        assert_eq!(Ports::parse("listen: 4222"), None);
    }
}
