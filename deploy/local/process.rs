//! Processes of other programs: as whom they run, whether they still live, how they are asked to end.

use std::{
    fs,
    io::{self, Read},
    path::Path,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, geteuid, kill_process};

/// The user that servers run as when we are root: Postgres refuses root, and NATS needs no rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// `postgres`, else `nobody`, when we are root; None when we are somebody already.
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

/// Whether a server ends with the process that started it (tests), or is left to be found again (`luci up`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Survives a kill -9 of its starter.
    Outlives,
    /// Ended by the kernel when the *thread* that started it ends.
    WithStarter,
}

/// A command that runs `program` as `account`, out of the terminal's Ctrl-C group.
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

/// Whether `pid` lives and was started with `mark` (its data folder) among its arguments.
///
/// A number alone proves nothing: after a reboot another program may have it. A zombie has no arguments.
pub fn alive(pid: u32, mark: &Path) -> bool {
    let mark = mark.as_os_str().as_encoded_bytes();
    let Ok(arguments) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    arguments.windows(mark.len()).any(|window| window == mark)
}

/// A server that we started or found.
#[derive(Debug)]
pub struct Running {
    pub pid: u32,
    /// None when it was started by an earlier process.
    pub child: Option<Child>,
}

impl Running {
    /// The exit status, when it has ended and was our child.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.as_mut()?.try_wait().ok().flatten()
    }

    /// Whether it still runs with `mark` among its arguments.
    pub fn lives(&mut self, mark: &Path) -> bool {
        self.ended().is_none() && alive(self.pid, mark)
    }

    /// Sends `signal` and waits; after `at_most` it is killed. Returns whether it ended by itself.
    pub fn end(&mut self, signal: Signal, mark: &Path, at_most: Duration) -> bool {
        send(self.pid, signal);
        if self.gone_within(mark, at_most) {
            return true;
        }
        send(self.pid, Signal::KILL);
        self.gone_within(mark, Duration::from_secs(5));
        false
    }

    fn gone_within(&mut self, mark: &Path, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        loop {
            if !self.lives(mark) {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

pub fn send(pid: u32, signal: Signal) {
    // A process that has gone meanwhile is what was wanted.
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _gone = kill_process(pid, signal);
    }
}

/// `bytes` random bytes from the kernel, in hexadecimal.
pub fn random_hex(bytes: usize) -> io::Result<String> {
    let mut buffer = vec![0; bytes];
    fs::File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    Ok(hex::encode(buffer))
}

/// A port on 127.0.0.1 that was free a moment ago; `wanted` when it still is.
pub fn free_port(wanted: Option<u16>) -> io::Result<u16> {
    let bind = |port| std::net::TcpListener::bind(("127.0.0.1", port));
    let listener = match wanted.map(bind) {
        Some(Ok(listener)) => listener,
        _ => bind(0)?,
    };
    Ok(listener.local_addr()?.port())
}

/// The last lines of a log, for an error message.
pub fn tail(path: &Path) -> String {
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let passwd = "postgresql:x:7:8::/:/bin/sh\npostgres:x:101:104:Admin,,,:/var:/bin/bash\n";
        assert_eq!(Account::named(passwd, "postgres"), Some(Account { uid: 101, gid: 104 }));
        assert_eq!(Account::named(passwd, "nobody"), None);
    }

    #[test]
    fn a_process_is_known_by_its_arguments_too() {
        let us = std::process::id();
        let program = std::env::args().next().expect("a test has a name");
        assert!(alive(us, Path::new(&program)));
        assert!(!alive(us, Path::new("/no/such/folder")));
    }
}
