//! A private Postgres: its cluster is created once; the server is started or taken over, and stopped.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    LocalError, Search,
    folder::Folder,
    memory,
    server_process::{Lifetime, Running, command, free_port, is_running, random_hex, tail},
};

/// Whether committed data survives a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    Fsync,
    /// For tests.
    None,
}

impl Durability {
    /// In an unoptimised build, the hashing of SCRAM takes most of a test's time.
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
const START_TIMEOUT: Duration = Duration::from_secs(60);

impl Postgres {
    /// Starts the server of `folder`, or takes it over when an earlier process left it running.
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
            create_cluster(&bin, folder, &data, durability)?;
        }
        let password = read_password(folder).map_err(at)?;
        let mut preferred_port = fs::read_to_string(data.join("postmaster.opts")).ok().and_then(|opts| port_in(&opts));
        // Another program may take the port before Postgres does: then another port is tried.
        for last in [false, false, true] {
            let port = free_port(preferred_port.take()).map_err(at)?;
            match launch(&bin, folder, &data, port, durability, lifetime) {
                Ok(running) => return Ok(Self { running, data, port, password }),
                Err(error) if last || !error.to_string().contains("could not bind") => return Err(error),
                Err(_) => {}
            }
        }
        unreachable!("the third attempt returns")
    }

    /// `postgres://luci:…@127.0.0.1:PORT/DATABASE`: contains the password, so never log it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> u32 {
        self.running.pid
    }

    pub fn is_running(&mut self) -> bool {
        self.running.is_running(&self.data)
    }

    /// Stops it with SIGINT, a fast shutdown with a checkpoint. Returns whether it ended in time; else it was killed.
    pub fn stop(mut self) -> bool {
        self.running.stop(Signal::INT, &self.data, Duration::from_secs(30))
    }
}

/// Process id and port of the server that runs on `data`; waits while it recovers from a crash.
fn running_in(data: &Path) -> Option<(u32, u16)> {
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let pid = text.lines().next()?.trim().parse().ok()?;
        if !is_running(pid, data) {
            return None;
        }
        match ready_port(&text) {
            Some(port) => return Some((pid, port)),
            None if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
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

/// The port of the last start: with the same port, URLs that users copied stay valid.
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

/// Runs initdb and creates the database `luci`, in a folder that is renamed to `data` at the end.
fn create_cluster(bin: &Path, folder: &Folder, data: &Path, durability: Durability) -> Result<(), LocalError> {
    let at = |source| LocalError::Io { path: data.to_owned(), source };
    let temporary = folder.servers.join("postgres.new");
    if temporary.exists() {
        fs::remove_dir_all(&temporary).map_err(at)?;
    }
    folder.server_dir("postgres.new").map_err(at)?;
    let password = password_file(folder);
    folder.server_file(&password, &random_hex(24).map_err(at)?).map_err(at)?;
    let mut initdb = command(&bin.join("initdb"), folder.account, Lifetime::Outlives);
    initdb.arg("-D").arg(&temporary).arg("--pwfile").arg(&password).args([
        "-U",
        USER,
        "-A",
        durability.authentication(),
    ]);
    // Text compares byte by byte: the log and the read tables order it so.
    initdb.args(["-E", "UTF8", "--locale=C.UTF-8", "--lc-collate=C"]).current_dir(&temporary).env("LC_ALL", "C.UTF-8");
    if durability == Durability::None {
        initdb.arg("--no-sync");
    }
    run("initdb", &mut initdb)?;
    let mut single = command(&bin.join("postgres"), folder.account, Lifetime::Outlives);
    single.args(["--single", "-D"]).arg(&temporary).arg("postgres").current_dir(&temporary);
    let statement = folder.servers.join("postgres.sql");
    fs::write(&statement, "create database luci\n").map_err(at)?;
    single.stdin(fs::File::open(&statement).map_err(at)?);
    run("postgres --single", &mut single)?;
    fs::remove_file(&statement).map_err(at)?;
    fs::rename(&temporary, data).map_err(at)
}

fn run(program: &'static str, command: &mut std::process::Command) -> Result<(), LocalError> {
    let output = command.output().map_err(|source| LocalError::Spawn { program, source })?;
    if output.status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(LocalError::Start { program, output })
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
    // The previous log is kept: after a crash it contains the cause. The first start has none.
    let _ = fs::rename(&log, log.with_extension("log.1"));
    let log_file = fs::File::create(&log).map_err(|source| LocalError::Io { path: log.clone(), source })?;
    let mut server = command(&bin.join("postgres"), folder.account, lifetime);
    server.arg("-D").arg(data).current_dir(data).arg("-c").arg(format!("port={port}"));
    for setting in settings(durability) {
        server.arg("-c").arg(setting);
    }
    server.arg("-c").arg(format!("shared_buffers={}MB", memory::shared_buffers(memory::available())));
    server.envs(MALLOC_VARIABLES).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file);
    let child = server.spawn().map_err(|source| LocalError::Spawn { program, source })?;
    let mut running = Running { pid: child.id(), child: Some(child) };
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        if running.exit_status().is_some() || Instant::now() > deadline {
            return Err(LocalError::Start { program, output: tail(&log) });
        }
        let state = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        // The file of a crashed server contains another process id.
        if state.lines().next() == Some(running.pid.to_string().as_str()) && ready_port(&state).is_some() {
            return Ok(running);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// By default, glibc returns the memory of a large statement and requests it again for the next one, page by page: a fifth
/// of the time of a large append. With these thresholds (32 MiB) the backend keeps it.
const MALLOC_VARIABLES: [(&str, &str); 2] =
    [("MALLOC_MMAP_THRESHOLD_", "33554432"), ("MALLOC_TRIM_THRESHOLD_", "33554432")];

/// No statement and no parameter is logged: they contain personal data.
fn settings(durability: Durability) -> Vec<&'static str> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=100",
        "wal_compression=lz4",
        "max_wal_size=4GB",
        // Old WAL files are reused: a new one is first filled with zeros.
        "min_wal_size=1GB",
        "checkpoint_timeout=15min",
        // The first import fills empty tables: their statistics must be updated soon.
        "autovacuum_naptime=10s",
        // At the default scale factor (0.1) and target (100), ANALYZE took a fifth of Postgres' CPU time in an import.
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
    fn a_server_is_ready_when_its_pid_file_says_so() {
        let starting = "71\n/d\n1700000000\n54321\n\n127.0.0.1\n  1  2\nstarting\n";
        assert_eq!(ready_port(starting), None);
        assert_eq!(ready_port(&starting.replace("starting", "ready   ")), Some(54_321));
        assert_eq!(ready_port("71\n/d\n"), None);
    }

    #[test]
    fn the_last_port_is_parsed_from_the_options_file() {
        assert_eq!(port_in("/usr/bin/postgres \"-D\" \"/d\" \"-c\" \"port=4711\" \"-c\" \"jit=off\""), Some(4_711));
        assert_eq!(port_in("/usr/bin/postgres"), None);
    }
}
