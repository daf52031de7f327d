//! The data folder: locked by one process at a time, readable by the user that its servers run as.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{LocalError, server_process::Account};

/// A data folder that this process has locked until it ends.
#[derive(Debug)]
pub struct Folder {
    /// Contains credentials, keys and objects; only our user has access.
    pub path: PathBuf,
    /// Contains the servers' data: `path`, or a folder in /var/tmp when the servers' user cannot enter `path`.
    pub servers: PathBuf,
    pub account: Option<Account>,
    /// The kernel releases the lock when this process ends, by kill -9 too.
    _lock: File,
}

impl Folder {
    /// Creates the folder if it is missing, and locks it. A folder that another process has locked is an error.
    pub fn open(path: &Path) -> Result<Self, LocalError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| LocalError::Io { path, source }
        };
        // The servers' user can pass through it, and only we can list it.
        create_dir(path, 0o711).map_err(at(path))?;
        let path = path.canonicalize().map_err(at(path))?;
        let lock = lock(&path)?;
        let account = Account::for_servers().map_err(at(&path))?;
        let servers = match account {
            Some(account) if !enterable(&path, account) => fallback(&path).map_err(at(&path))?,
            _ => path.clone(),
        };
        Ok(Self { path, servers, account, _lock: lock })
    }

    /// A line for the user when the servers' data is not in the data folder.
    pub fn notice(&self) -> Option<String> {
        (self.servers != self.path).then(|| {
            format!(
                "the servers' user cannot enter {}; their data is in {}",
                self.path.display(),
                self.servers.display()
            )
        })
    }

    /// The subfolder `name` for our user alone; created if missing.
    pub fn private_dir(&self, name: &str) -> io::Result<PathBuf> {
        let dir = self.path.join(name);
        create_dir(&dir, 0o700)?;
        Ok(dir)
    }

    /// The subfolder `name` of the servers' folder, for their user alone; created if missing.
    pub fn server_dir(&self, name: &str) -> io::Result<PathBuf> {
        let dir = self.servers.join(name);
        fs::create_dir_all(&dir)?;
        self.give_to_servers(&dir, 0o700)?;
        Ok(dir)
    }

    /// Writes a file that only the servers' user (and root) can read.
    pub fn server_file(&self, path: &Path, text: &str) -> io::Result<()> {
        write_private(path, text)?;
        self.give_to_servers(path, 0o600)
    }

    fn give_to_servers(&self, path: &Path, mode: u32) -> io::Result<()> {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        match self.account {
            Some(account) => chown(path, Some(account.uid), Some(account.gid)),
            None => Ok(()),
        }
    }

    /// `program`, or a copy of it where the servers' user can execute it.
    pub fn executable(&self, program: &Path) -> io::Result<PathBuf> {
        let program = program.canonicalize()?;
        match self.account {
            Some(account) if !program.parent().is_some_and(|parent| enterable(parent, account)) => {
                let tools = self.servers.join("tools");
                fs::create_dir_all(&tools)?;
                let copy = tools.join(program.file_name().unwrap_or_default());
                fs::copy(&program, &copy)?;
                Ok(copy)
            }
            _ => Ok(program),
        }
    }
}

/// Creates a folder and its parents; an existing folder keeps its mode.
fn create_dir(path: &Path, mode: u32) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(path)
}

/// Writes a file with mode 0600; an existing file is replaced atomically.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".draft");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

fn lock(folder: &Path) -> Result<File, LocalError> {
    let path = folder.join("lock");
    let at = |source| LocalError::Io { path: path.clone(), source };
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(at)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(at)?;
            return Err(LocalError::InUse { folder: folder.to_owned(), holder: holder.trim().to_owned() });
        }
        Err(fs::TryLockError::Error(source)) => return Err(at(source)),
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(at)?;
    writeln!(file, "{}", std::process::id()).map_err(at)?;
    Ok(file)
}

/// Whether `account` has execute permission on `path` and every folder above it.
fn enterable(path: &Path, account: Account) -> bool {
    path.ancestors().filter(|folder| !folder.as_os_str().is_empty()).all(|folder| {
        let Ok(found) = fs::metadata(folder) else { return false };
        let mode = found.mode();
        let bit = match (found.uid() == account.uid, found.gid() == account.gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        mode & bit != 0
    })
}

/// A folder in /var/tmp, always the same one for the same data folder.
fn fallback(path: &Path) -> io::Result<PathBuf> {
    let digest = hex::encode(Sha256::digest(path.as_os_str().as_encoded_bytes()));
    let folder = PathBuf::from("/var/tmp").join(format!("luci-{}", &digest[..12]));
    match fs::create_dir(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Everybody can write to /var/tmp: another user may have created the folder to read our data.
    if fs::symlink_metadata(&folder)?.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!("{} belongs to another user", folder.display())));
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o711))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_by_one_process() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = Folder::open(dir.path()).expect("free");
        let error = Folder::open(dir.path()).expect_err("locked");
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        drop(first);
        Folder::open(dir.path()).expect("free again");
    }

    #[test]
    fn a_folder_below_a_closed_one_cannot_be_entered() {
        let dir = tempfile::tempdir().expect("a folder");
        let other_user = Account { uid: 65_534, gid: 65_534 };
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        assert!(enterable(dir.path(), other_user));
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).expect("chmod");
        assert!(!enterable(&dir.path().join("."), other_user));
    }

    #[test]
    fn a_private_file_has_mode_0600() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("key");
        write_private(&path, "secret").expect("written");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
    }
}
