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
    server_process::{Lifetime, Running, command, free_port, is_running, random_hex, tail},
};

/// A private nats-server with one user, `luci`.
#[derive(Debug)]
pub struct Nats {
    running: Running,
    config: PathBuf,
    address: Address,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    port: u16,
    password: String,
}

const USER: &str = "luci";
const START_TIMEOUT: Duration = Duration::from_secs(30);

impl Nats {
    /// Starts the server of `folder`, or takes it over when an earlier process left it running.
    pub fn start(search: &Search, folder: &Folder, lifetime: Lifetime) -> Result<Self, LocalError> {
        let dir = folder.servers.join("nats");
        let at = |source| LocalError::Io { path: dir.clone(), source };
        folder.server_dir("nats").map_err(at)?;
        let config = dir.join("nats.conf");
        let previous = fs::read_to_string(&config).ok().and_then(|text| Address::parse(&text));
        if let (Some(pid), Some(address)) = (running_pid(&dir, &config), &previous)
            && is_ready(address.port)
        {
            return Ok(Self { running: Running { pid, child: None }, config, address: address.clone() });
        }
        let program = search.nats(&folder.servers)?;
        let program = folder.executable(&program).map_err(at)?;
        let password = match &previous {
            Some(address) => address.password.clone(),
            None => random_hex(24).map_err(at)?,
        };
        let port = free_port(previous.map(|address| address.port)).map_err(at)?;
        let address = Address { port, password };
        folder.server_file(&config, &address.config(&dir)).map_err(at)?;
        let running = launch(&program, folder, &dir, &config, port, lifetime)?;
        Ok(Self { running, config, address })
    }

    /// `nats://luci:…@127.0.0.1:PORT`: contains the password, so never log it.
    pub fn url(&self) -> String {
        format!("nats://{USER}:{}@127.0.0.1:{}", self.address.password, self.address.port)
    }

    pub fn port(&self) -> u16 {
        self.address.port
    }

    pub fn pid(&self) -> u32 {
        self.running.pid
    }

    pub fn is_running(&mut self) -> bool {
        self.running.is_running(&self.config)
    }

    /// Stops it with SIGTERM. Returns whether it ended in time; else it was killed.
    pub fn stop(mut self) -> bool {
        self.running.stop(Signal::TERM, &self.config, Duration::from_secs(15))
    }

    /// Kills it, as a crash would.
    pub fn kill(mut self) {
        self.running.stop(Signal::KILL, &self.config, Duration::from_secs(5));
    }
}

impl Address {
    fn config(&self, dir: &Path) -> String {
        let Self { port, password } = self;
        let dir = dir.display();
        format!(
            "# Written by luci at each start.\n\
             listen: \"127.0.0.1:{port}\"\n\
             server_name: \"luci-{port}\"\n\
             pid_file: \"{dir}/nats.pid\"\n\
             log_file: \"{dir}/nats.log\"\n\
             log_size_limit: 10MB\n\
             logfile_max_num: 3\n\
             authorization {{ user: \"{USER}\", password: \"{password}\" }}\n\
             jetstream {{ store_dir: \"{dir}/jetstream\", max_memory_store: 64MB }}\n"
        )
    }

    fn parse(config: &str) -> Option<Self> {
        let port = config.split_once("127.0.0.1:")?.1.split('"').next()?.parse().ok()?;
        let password = config.split_once("password: \"")?.1.split('"').next()?.to_owned();
        Some(Self { port, password })
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
    fn the_address_is_parsed_from_its_configuration() {
        let address = Address { port: 4_222, password: "abc123".to_owned() };
        assert_eq!(Address::parse(&address.config(Path::new("/data/nats"))), Some(address));
        assert_eq!(Address::parse("listen: 4222"), None);
    }
}
