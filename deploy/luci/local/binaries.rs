//! Finds the programs of Postgres and nats-server, and checks that they are recent enough.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::LocalError;
use crate::config::Search;

/// The migrations need the permission model and the `MERGE` of Postgres 15.
pub const MIN_POSTGRES: u32 = 15;
/// Consumers with several filter subjects, and first sequences, exist since nats-server 2.10.
pub const MIN_NATS: (u32, u32) = (2, 10);

impl Search {
    /// The folder of the newest Postgres, or of the major version `required` by existing data.
    pub fn postgres(&self, required: Option<u32>) -> Result<PathBuf, LocalError> {
        let fits = |major: u32| major >= MIN_POSTGRES && required.is_none_or(|required| required == major);
        let mut found: Vec<(u32, PathBuf)> = Vec::new();
        let configured = self.postgres.iter().cloned();
        let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut installed: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin")).collect();
        installed.sort_by_key(|folder| std::cmp::Reverse(major_in_path(folder)));
        for folder in configured.chain(installed).chain(self.folders()) {
            let Some(major) = postgres_major(&folder) else { continue };
            if fits(major) {
                return Ok(folder);
            }
            found.push((major, folder));
        }
        Err(LocalError::NoPostgres { required, found: found.into_iter().map(|(major, _)| major).collect() })
    }

    /// The first nats-server of: `LUCI_NATS_SERVER`, `.tools` in a folder above this program or in the working directory,
    /// the data folder's tools, `PATH`.
    pub fn nats(&self, servers: &Path) -> Result<PathBuf, LocalError> {
        let program = std::env::current_exe().unwrap_or_default();
        let parents = program.ancestors().skip(1).map(Path::to_owned).chain([PathBuf::new()]);
        let bundled =
            parents.map(|folder| folder.join(".tools/bin/nats-server")).chain([servers.join("tools/nats-server")]);
        let on_path = self.folders().map(|folder| folder.join("nats-server"));
        let mut candidates = self.nats.iter().cloned().chain(bundled).chain(on_path);
        let program = candidates.find(|path| path.is_file()).ok_or(LocalError::NoNats)?;
        match nats_version(&program) {
            Some((major, minor, _)) if (major, minor) >= MIN_NATS => Ok(program),
            version => Err(LocalError::OldNats {
                version: version.map_or("unknown".to_owned(), |(a, b, c)| format!("{a}.{b}.{c}")),
                program,
            }),
        }
    }

    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        let path = self.path.clone().unwrap_or_default();
        std::env::split_paths(&path).collect::<Vec<_>>().into_iter()
    }
}

fn output(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// 15 for `/usr/lib/postgresql/15/bin`.
fn major_in_path(folder: &Path) -> Option<u32> {
    folder.parent()?.file_name()?.to_str()?.parse().ok()
}

fn postgres_major(folder: &Path) -> Option<u32> {
    if !folder.join("postgres").is_file() || !folder.join("initdb").is_file() {
        return None;
    }
    major_in_path(folder).or_else(|| parse_postgres(&output(&folder.join("postgres"))?))
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is 15.
fn parse_postgres(text: &str) -> Option<u32> {
    let number = text.split(')').nth(1)?.trim_start();
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn nats_version(program: &Path) -> Option<(u32, u32, u32)> {
    parse_nats(&output(program)?)
}

/// `nats-server: v2.15.1` is (2, 15, 1).
fn parse_nats(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split_once(": v")?.1.splitn(3, '.');
    let mut number = || parts.next()?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    Some((number()?, number()?, number()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_parsed_from_the_programs_output() {
        assert_eq!(parse_postgres("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(parse_postgres("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_postgres("something else"), None);
        assert_eq!(parse_nats("nats-server: v2.15.1\n"), Some((2, 15, 1)));
        assert_eq!(parse_nats("nats-server: v2.9.10"), Some((2, 9, 10)));
        assert_eq!(parse_nats("nats-server: v2.11.0-preview.2"), Some((2, 11, 0)));
        assert_eq!(parse_nats(""), None);
    }

    #[test]
    fn an_old_nats_server_is_an_error_that_says_what_to_do() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        let program = dir.path().join("nats-server");
        std::fs::write(&program, "#!/bin/sh\necho 'nats-server: v2.9.10'\n").expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("chmod");
        let search = Search { nats: Some(program), ..Search::default() };
        let error = search.nats(dir.path()).expect_err("2.9 is too old").to_string();
        assert!(error.contains("2.9.10") && error.contains("make setup"), "{error}");
    }
}
