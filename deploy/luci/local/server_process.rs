//! Processes of the private servers: their user, whether they run, how they are stopped.

use std::{
    fs,
    io::{self, Read},
    path::Path,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, geteuid, kill_process};

/// The user that servers run as when we are root: Postgres refuses to run as root, and NATS needs no privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// `postgres`, else `nobody`, when we are root; `None` when we are not: servers then run as our user.
    pub fn for_servers() -> io::Result<Option<Self>> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let passwd = fs::read_to_string("/etc/passwd")?;
        let found = ["postgres", "nobody"].into_iter().find_map(|name| Self::named(&passwd, name));
        found.map(Some).ok_or_else(|| io::Error::other("root needs a user `postgres` or `nobody` to run servers as"))
    }

    fn named(passwd: &str, name: &str) -> Option<Self> {
        let mut fields = passwd.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.split(':').skip(1);
        Some(Self { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    }
}

/// Whether a server ends with the process that started it (tests) or survives it (`luci up`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Survives a kill -9 of the process that started it.
    Outlives,
    /// The kernel ends it when the *thread* that started it ends.
    WithStarter,
}

/// A command that runs `program` as `account`, in a process group of its own: Ctrl-C in the terminal does not reach it.
pub fn command(program: &Path, account: Option<Account>, lifetime: Lifetime) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = match lifetime {
        Lifetime::Outlives => Command::new(program),
        Lifetime::WithStarter => {
            let mut wrapped = Command::new("setpriv");
            wrapped.args(["--pdeathsig", "QUIT", "--"]).arg(program);
            wrapped
        }
    };
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command.process_group(0);
    command
}

/// Whether process `pid` runs with `argument` (its data folder, say) in its command line.
///
/// The id alone is not enough: after a reboot another program may have it. A zombie has no command line.
pub fn is_running(pid: u32, argument: &Path) -> bool {
    let argument = argument.as_os_str().as_encoded_bytes();
    let Ok(command_line) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    command_line.windows(argument.len()).any(|window| window == argument)
}

/// A server that this process started or took over.
#[derive(Debug)]
pub struct Running {
    pub pid: u32,
    /// `None` when an earlier process started it.
    pub child: Option<Child>,
}

impl Running {
    /// The exit status of a child that has ended.
    pub fn exit_status(&mut self) -> Option<std::process::ExitStatus> {
        self.child.as_mut()?.try_wait().ok().flatten()
    }

    /// Whether it still runs with `argument` in its command line.
    pub fn is_running(&mut self, argument: &Path) -> bool {
        if self.exit_status().is_some() {
            return false;
        }
        let running = is_running(self.pid, argument);
        if let Some(child) = self.child.as_mut().filter(|_| !running) {
            // It has ended since the first look. Until it is reaped, the next Postgres takes its lock file for a live one's.
            let _reaped = child.wait();
        }
        running
    }

    /// Sends `signal` and waits; after `timeout` the process is killed. Returns whether the signal was enough.
    pub fn stop(&mut self, signal: Signal, argument: &Path, timeout: Duration) -> bool {
        send(self.pid, signal);
        if self.ends_within(argument, timeout) {
            return true;
        }
        send(self.pid, Signal::KILL);
        self.ends_within(argument, Duration::from_secs(5));
        false
    }

    fn ends_within(&mut self, argument: &Path, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        loop {
            if !self.is_running(argument) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

pub fn send(pid: u32, signal: Signal) {
    // An error means that the process has already ended.
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// `bytes` random bytes of the kernel, in hexadecimal.
pub fn random_hex(bytes: usize) -> io::Result<String> {
    let mut buffer = vec![0; bytes];
    fs::File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    Ok(hex::encode(buffer))
}

/// A port of 127.0.0.1 that was free a moment ago: `preferred` if possible.
pub fn free_port(preferred: Option<u16>) -> io::Result<u16> {
    let bind = |port| std::net::TcpListener::bind(("127.0.0.1", port));
    let listener = match preferred.map(bind) {
        Some(Ok(listener)) => listener,
        _ => bind(0)?,
    };
    Ok(listener.local_addr()?.port())
}

/// The last five lines of a log file, for an error message.
pub fn tail(path: &Path) -> String {
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_full_name() {
        let passwd = "postgresql:x:7:8::/:/bin/sh\npostgres:x:101:104:Admin,,,:/var:/bin/bash\n";
        assert_eq!(Account::named(passwd, "postgres"), Some(Account { uid: 101, gid: 104 }));
        assert_eq!(Account::named(passwd, "nobody"), None);
    }

    #[test]
    fn a_process_is_identified_by_its_command_line_too() {
        let pid = std::process::id();
        let program = std::env::args().next().expect("a test has a name");
        assert!(is_running(pid, Path::new(&program)));
        assert!(!is_running(pid, Path::new("/no/such/folder")));
    }
}
