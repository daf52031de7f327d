//! A private nats-server with JetStream: started or found again, stopped cleanly.

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
    LocalError,
    binaries::Search,
    folder::Folder,
    process::{Lifetime, Running, alive, command, free_port, random_hex, tail},
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
const START_AT_MOST: Duration = Duration::from_secs(30);

impl Nats {
    /// Starts the one in `folder`, or takes over the one an earlier process left running there.
    pub fn start(search: &Search, folder: &Folder, lifetime: Lifetime) -> Result<Self, LocalError> {
        let room = folder.servers.join("nats");
        let at = |source| LocalError::Io { path: room.clone(), source };
        folder.server_room("nats").map_err(at)?;
        let config = room.join("nats.conf");
        let known = fs::read_to_string(&config).ok().and_then(|text| Address::read(&text));
        if let (Some(pid), Some(address)) = (running_with(&room, &config), &known)
            && greets(address.port)
        {
            return Ok(Self { running: Running { pid, child: None }, config, address: address.clone() });
        }
        let program = search.nats(&folder.servers)?;
        let program = folder.reachable(&program).map_err(at)?;
        let password = match &known {
            Some(address) => address.password.clone(),
            None => random_hex(24).map_err(at)?,
        };
        let port = free_port(known.map(|address| address.port)).map_err(at)?;
        let address = Address { port, password };
        folder.server_file(&config, &address.config(&room)).map_err(at)?;
        let running = launch(&program, folder, &room, &config, port, lifetime)?;
        Ok(Self { running, config, address })
    }

    /// `nats://luci:…@127.0.0.1:PORT`: holds the password, so it is never logged.
    pub fn url(&self) -> String {
        format!("nats://{USER}:{}@127.0.0.1:{}", self.address.password, self.address.port)
    }

    pub fn port(&self) -> u16 {
        self.address.port
    }

    pub fn pid(&self) -> u32 {
        self.running.pid
    }

    pub fn lives(&mut self) -> bool {
        self.running.lives(&self.config)
    }

    /// Flushes its files and ends. Returns whether it did so in time.
    pub fn stop(mut self) -> bool {
        self.running.end(Signal::TERM, &self.config, Duration::from_secs(15))
    }

    /// Ends it as a crash would.
    pub fn kill(mut self) {
        self.running.end(Signal::KILL, &self.config, Duration::from_secs(5));
    }
}

impl Address {
    fn config(&self, room: &Path) -> String {
        let Self { port, password } = self;
        let room = room.display();
        format!(
            "# Written by luci at each start.\n\
             listen: \"127.0.0.1:{port}\"\n\
             server_name: \"luci-{port}\"\n\
             pid_file: \"{room}/nats.pid\"\n\
             log_file: \"{room}/nats.log\"\n\
             log_size_limit: 10MB\n\
             logfile_max_num: 3\n\
             authorization {{ user: \"{USER}\", password: \"{password}\" }}\n\
             jetstream {{ store_dir: \"{room}/jetstream\", max_memory_store: 64MB }}\n"
        )
    }

    fn read(config: &str) -> Option<Self> {
        let port = config.split_once("127.0.0.1:")?.1.split('"').next()?.parse().ok()?;
        let password = config.split_once("password: \"")?.1.split('"').next()?.to_owned();
        Some(Self { port, password })
    }
}

fn running_with(room: &Path, config: &Path) -> Option<u32> {
    let pid = fs::read_to_string(room.join("nats.pid")).ok()?.trim().parse().ok()?;
    alive(pid, config).then_some(pid)
}

/// A nats-server speaks first: `INFO {…}`, once it can take connections.
fn greets(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut line = String::new();
    stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok()
        && BufReader::new(stream).read_line(&mut line).is_ok()
        && line.starts_with("INFO ")
}

fn launch(
    program: &Path,
    folder: &Folder,
    room: &Path,
    config: &Path,
    port: u16,
    lifetime: Lifetime,
) -> Result<Running, LocalError> {
    let name = "nats-server";
    let mut server = command(program, folder.account, lifetime);
    server.arg("-c").arg(config).current_dir(room).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = server.spawn().map_err(|source| LocalError::Spawn { program: name, source })?;
    let mut running = Running { pid: child.id(), child: Some(child) };
    let until = Instant::now() + START_AT_MOST;
    while !greets(port) {
        if running.ended().is_some() || Instant::now() > until {
            return Err(LocalError::Start { program: name, said: tail(&room.join("nats.log")) });
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(running)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_back_from_its_own_configuration() {
        let address = Address { port: 4_222, password: "abc123".to_owned() };
        assert_eq!(Address::read(&address.config(Path::new("/data/nats"))), Some(address));
        assert_eq!(Address::read("listen: 4222"), None);
    }
}
