//! Where Postgres and nats-server are on this machine, and whether they are new enough.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use super::LocalError;

/// Postgres 15 is the first with the permissions model and `MERGE` semantics the migrations rely on.
pub const POSTGRES_AT_LEAST: u32 = 15;
/// 2.10 is the first nats-server with several filter subjects and first sequences.
pub const NATS_AT_LEAST: (u32, u32) = (2, 10);

/// Where to look, as the environment says.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// `LUCI_PG_BIN`: a folder with `postgres` and `initdb`.
    pub postgres: Option<PathBuf>,
    /// `LUCI_NATS_SERVER`: the program itself.
    pub nats: Option<PathBuf>,
    /// `PATH`.
    pub path: Option<OsString>,
}

impl Search {
    /// The folder of the newest Postgres, or of major `wanted` when the data was made by that one.
    pub fn postgres(&self, wanted: Option<u32>) -> Result<PathBuf, LocalError> {
        let fits = |major: u32| major >= POSTGRES_AT_LEAST && wanted.is_none_or(|wanted| wanted == major);
        let mut found: Vec<(u32, PathBuf)> = Vec::new();
        let explicit = self.postgres.iter().cloned();
        let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut installed: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin")).collect();
        installed.sort_by_key(|folder| std::cmp::Reverse(major_in_path(folder)));
        for folder in explicit.chain(installed).chain(self.folders()) {
            let Some(major) = postgres_major(&folder) else { continue };
            if fits(major) {
                return Ok(folder);
            }
            found.push((major, folder));
        }
        Err(LocalError::NoPostgres { wanted, found: found.into_iter().map(|(major, _)| major).collect() })
    }

    /// The first nats-server of: `LUCI_NATS_SERVER`, `.tools` here or above our own program, the data folder's tools, `PATH`.
    pub fn nats(&self, servers: &Path) -> Result<PathBuf, LocalError> {
        let own = std::env::current_exe().unwrap_or_default();
        let above = own.ancestors().skip(1).map(Path::to_owned).chain([PathBuf::new()]);
        let near = above.map(|folder| folder.join(".tools/bin/nats-server")).chain([servers.join("tools/nats-server")]);
        let on_path = self.folders().map(|folder| folder.join("nats-server"));
        let mut candidates = self.nats.iter().cloned().chain(near).chain(on_path);
        let program = candidates.find(|path| path.is_file()).ok_or(LocalError::NoNats)?;
        match nats_version(&program) {
            Some((major, minor, _)) if (major, minor) >= NATS_AT_LEAST => Ok(program),
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

/// 15 of `/usr/lib/postgresql/15/bin`.
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
    fn versions_are_read_from_what_the_programs_print() {
        assert_eq!(parse_postgres("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(parse_postgres("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_postgres("something else"), None);
        assert_eq!(parse_nats("nats-server: v2.15.1\n"), Some((2, 15, 1)));
        assert_eq!(parse_nats("nats-server: v2.9.10"), Some((2, 9, 10)));
        assert_eq!(parse_nats("nats-server: v2.11.0-preview.2"), Some((2, 11, 0)));
        assert_eq!(parse_nats(""), None);
    }

    #[test]
    fn an_old_nats_server_is_refused_with_the_remedy() {
        use std::os::unix::fs::PermissionsExt;
        let room = tempfile::tempdir().expect("a folder");
        let program = room.path().join("nats-server");
        std::fs::write(&program, "#!/bin/sh\necho 'nats-server: v2.9.10'\n").expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("ours");
        let search = Search { nats: Some(program), ..Search::default() };
        let refused = search.nats(room.path()).expect_err("2.9 is too old").to_string();
        assert!(refused.contains("2.9.10") && refused.contains("make setup"), "{refused}");
    }
}
