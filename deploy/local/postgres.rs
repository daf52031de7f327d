//! A private Postgres: made once, started or found again, stopped cleanly.

use std::{
    fs, io,
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
    memory,
    process::{Lifetime, Running, alive, command, free_port, random_hex, tail},
};

/// How safe the data is when the machine loses power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    Fsync,
    /// For tests, whose data nobody misses.
    None,
}

impl Durability {
    /// A password's thousands of hashes at each connection are most of a test's time in an unoptimised build.
    const fn authentication(self) -> &'static str {
        match self {
            Self::Fsync => "scram-sha-256",
            Self::None => "trust",
        }
    }
}

/// A private Postgres with the superuser `luci` and the database `luci`.
#[derive(Debug)]
pub struct Postgres {
    running: Running,
    data: PathBuf,
    port: u16,
    password: String,
}

const USER: &str = "luci";
const START_AT_MOST: Duration = Duration::from_secs(60);

impl Postgres {
    /// Starts the one in `folder`, or takes over the one an earlier process left running there.
    pub fn start(
        search: &Search,
        folder: &Folder,
        durability: Durability,
        lifetime: Lifetime,
    ) -> Result<Self, LocalError> {
        let data = folder.servers.join("postgres");
        let at = |source| LocalError::Io { path: data.clone(), source };
        if let Some((pid, port)) = running_in(&data) {
            let password = read_password(folder).map_err(at)?;
            return Ok(Self { running: Running { pid, child: None }, data, port, password });
        }
        let bin = search.postgres(major_of(&data))?;
        if !data.join("PG_VERSION").exists() {
            make(&bin, folder, &data, durability)?;
        }
        let password = read_password(folder).map_err(at)?;
        let mut wanted = fs::read_to_string(data.join("postmaster.opts")).ok().and_then(|opts| port_in(&opts));
        // The port was free a moment ago; when somebody else took it meanwhile, another one is tried.
        for last in [false, false, true] {
            let port = free_port(wanted.take()).map_err(at)?;
            match launch(&bin, folder, &data, port, durability, lifetime) {
                Ok(running) => return Ok(Self { running, data, port, password }),
                Err(error) if last || !error.to_string().contains("could not bind") => return Err(error),
                Err(_) => {}
            }
        }
        unreachable!("the third start is the last")
    }

    /// `postgres://luci:…@127.0.0.1:PORT/DATABASE`: holds the password, so it is never logged.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> u32 {
        self.running.pid
    }

    pub fn lives(&mut self) -> bool {
        self.running.lives(&self.data)
    }

    /// Rolls back what is open, writes a checkpoint, and ends. Returns whether it did so in time.
    pub fn stop(mut self) -> bool {
        self.running.end(Signal::INT, &self.data, Duration::from_secs(30))
    }
}

/// The server that runs on `data` now: its process and its port.
fn running_in(data: &Path) -> Option<(u32, u16)> {
    let until = Instant::now() + START_AT_MOST;
    loop {
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let pid = text.lines().next()?.trim().parse().ok()?;
        if !alive(pid, data) {
            return None;
        }
        match ready_port(&text) {
            Some(port) => return Some((pid, port)),
            // Still recovering from a crash of its own.
            None if Instant::now() < until => thread::sleep(Duration::from_millis(5)),
            None => return None,
        }
    }
}

/// The fourth line of postmaster.pid is the port, the eighth the state.
fn ready_port(text: &str) -> Option<u16> {
    let mut lines = text.lines().skip(3);
    let port = lines.next()?.trim().parse().ok()?;
    lines.nth(3).is_some_and(|state| state.trim() == "ready").then_some(port)
}

fn major_of(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// The port of the last start: addresses that people have copied stay good.
fn port_in(opts: &str) -> Option<u16> {
    let (_, rest) = opts.split_once("port=")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn password_file(folder: &Folder) -> PathBuf {
    folder.servers.join("postgres.password")
}

fn read_password(folder: &Folder) -> io::Result<String> {
    fs::read_to_string(password_file(folder)).map(|text| text.trim().to_owned())
}

/// initdb and the database `luci`, in a folder that gets its name only when all is done.
fn make(bin: &Path, folder: &Folder, data: &Path, durability: Durability) -> Result<(), LocalError> {
    let at = |source| LocalError::Io { path: data.to_owned(), source };
    let draft = folder.servers.join("postgres.new");
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(at)?;
    }
    folder.server_room("postgres.new").map_err(at)?;
    let password = password_file(folder);
    folder.server_file(&password, &random_hex(24).map_err(at)?).map_err(at)?;
    let mut initdb = command(&bin.join("initdb"), folder.account, Lifetime::Outlives);
    initdb.arg("-D").arg(&draft).arg("--pwfile").arg(&password).args(["-U", USER, "-A", durability.authentication()]);
    // Ids and words compare byte by byte, as the log and the read tables order them anyway.
    initdb.args(["-E", "UTF8", "--locale=C.UTF-8", "--lc-collate=C"]).current_dir(&draft).env("LC_ALL", "C.UTF-8");
    if durability == Durability::None {
        initdb.arg("--no-sync");
    }
    finish("initdb", &mut initdb)?;
    let mut single = command(&bin.join("postgres"), folder.account, Lifetime::Outlives);
    single.args(["--single", "-D"]).arg(&draft).arg("postgres").current_dir(&draft);
    let statement = folder.servers.join("postgres.sql");
    fs::write(&statement, "create database luci\n").map_err(at)?;
    single.stdin(fs::File::open(&statement).map_err(at)?);
    finish("postgres --single", &mut single)?;
    fs::remove_file(&statement).map_err(at)?;
    fs::rename(&draft, data).map_err(at)
}

fn finish(program: &'static str, command: &mut std::process::Command) -> Result<(), LocalError> {
    let output = command.output().map_err(|source| LocalError::Spawn { program, source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(LocalError::Start { program, said })
}

fn launch(
    bin: &Path,
    folder: &Folder,
    data: &Path,
    port: u16,
    durability: Durability,
    lifetime: Lifetime,
) -> Result<Running, LocalError> {
    let program = "postgres";
    let log = folder.servers.join("postgres.log");
    // One older log is kept: after a crash it is the one that tells.
    let _there_was_none = fs::rename(&log, log.with_extension("log.1"));
    let log_file = fs::File::create(&log).map_err(|source| LocalError::Io { path: log.clone(), source })?;
    let mut server = command(&bin.join("postgres"), folder.account, lifetime);
    server.arg("-D").arg(data).current_dir(data).arg("-c").arg(format!("port={port}"));
    for setting in settings(durability) {
        server.arg("-c").arg(setting);
    }
    server.arg("-c").arg(format!("shared_buffers={}MB", memory::shared_buffers(memory::available())));
    server.envs(KEEPS_MEMORY).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file);
    let child = server.spawn().map_err(|source| LocalError::Spawn { program, source })?;
    let mut running = Running { pid: child.id(), child: Some(child) };
    let until = Instant::now() + START_AT_MOST;
    loop {
        if running.ended().is_some() || Instant::now() > until {
            return Err(LocalError::Start { program, said: tail(&log) });
        }
        let state = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        // A stale file of a crashed server names another process.
        if state.lines().next() == Some(running.pid.to_string().as_str()) && ready_port(&state).is_some() {
            return Ok(running);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// glibc gives back what a large statement used and takes it again, page by page, for the next: a fifth of the time of an
/// append of many events. These bounds keep it in the backend.
const KEEPS_MEMORY: [(&str, &str); 2] =
    [("MALLOC_MMAP_THRESHOLD_", "33554432"), ("MALLOC_TRIM_THRESHOLD_", "33554432")];

/// Durable, small, and silent about data: no statement and no parameter is ever logged.
fn settings(durability: Durability) -> Vec<&'static str> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=100",
        "wal_compression=lz4",
        "max_wal_size=4GB",
        // What was written once is written again rather than made anew, zero by zero.
        "min_wal_size=1GB",
        "checkpoint_timeout=15min",
        // A first import fills empty tables: what Postgres knows of them must follow soon.
        "autovacuum_naptime=10s",
        // … but not at every tenth of growth, nor to the last value: that was a fifth of Postgres' work on an import.
        "autovacuum_analyze_scale_factor=1",
        "default_statistics_target=15",
        "jit=off",
        "max_parallel_workers_per_gather=0",
        "log_line_prefix=%m [%p] ",
        "log_error_verbosity=terse",
        "log_min_error_statement=panic",
        "log_parameter_max_length=0",
        "log_parameter_max_length_on_error=0",
    ];
    if durability == Durability::None {
        settings.extend([
            "fsync=off",
            "full_page_writes=off",
            "synchronous_commit=off",
            "autovacuum_naptime=10min",
            "max_connections=300",
        ]);
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_file_says_when_it_is_ready() {
        let starting = "71\n/d\n1700000000\n54321\n\n127.0.0.1\n  1  2\nstarting\n";
        assert_eq!(ready_port(starting), None);
        assert_eq!(ready_port(&starting.replace("starting", "ready   ")), Some(54_321));
        assert_eq!(ready_port("71\n/d\n"), None);
    }

    #[test]
    fn the_last_port_is_read_back() {
        assert_eq!(port_in("/usr/bin/postgres \"-D\" \"/d\" \"-c\" \"port=4711\" \"-c\" \"jit=off\""), Some(4_711));
        assert_eq!(port_in("/usr/bin/postgres"), None);
    }
}
