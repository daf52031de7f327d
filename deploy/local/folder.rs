//! The data folder: one owner at a time, and servers that may enter it.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{LocalError, process::Account};

/// A data folder that this process holds until it ends.
#[derive(Debug)]
pub struct Folder {
    /// Where credentials, keys and objects live: ours alone.
    pub path: PathBuf,
    /// Where the servers keep theirs: `path`, or a folder in /var/tmp when their user cannot enter `path`.
    pub servers: PathBuf,
    pub account: Option<Account>,
    /// Held, never read: the kernel gives the lock back when we die, however we die.
    _lock: File,
}

impl Folder {
    /// Makes the folder when it is missing, and refuses one that another process holds.
    pub fn open(path: &Path) -> Result<Self, LocalError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| LocalError::Io { path, source }
        };
        // Passed through by the servers' user, listed by nobody else.
        make(path, 0o711).map_err(at(path))?;
        let path = path.canonicalize().map_err(at(path))?;
        let lock = lock(&path)?;
        let account = Account::for_servers().map_err(at(&path))?;
        let servers = match account {
            Some(account) if !enterable(&path, account) => fallback(&path).map_err(at(&path))?,
            _ => path.clone(),
        };
        Ok(Self { path, servers, account, _lock: lock })
    }

    /// A sentence for the user when the servers had to live elsewhere.
    pub fn notice(&self) -> Option<String> {
        (self.servers != self.path).then(|| {
            format!(
                "{} cannot be entered by the user the servers run as; their data is in {}",
                self.path.display(),
                self.servers.display()
            )
        })
    }

    /// `name` below the folder, made if missing, closed to all but us.
    pub fn own_room(&self, name: &str) -> io::Result<PathBuf> {
        let room = self.path.join(name);
        make(&room, 0o700)?;
        Ok(room)
    }

    /// `name` below the servers' folder, made if missing, closed to all but the servers' user.
    pub fn server_room(&self, name: &str) -> io::Result<PathBuf> {
        let room = self.servers.join(name);
        fs::create_dir_all(&room)?;
        self.hand_over(&room, 0o700)?;
        Ok(room)
    }

    /// Writes a file that only the servers' user (and root) can read.
    pub fn server_file(&self, path: &Path, text: &str) -> io::Result<()> {
        write_private(path, text)?;
        self.hand_over(path, 0o600)
    }

    fn hand_over(&self, path: &Path, mode: u32) -> io::Result<()> {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        match self.account {
            Some(account) => chown(path, Some(account.uid), Some(account.gid)),
            None => Ok(()),
        }
    }

    /// `program`, or a copy of it that the servers' user can reach.
    pub fn reachable(&self, program: &Path) -> io::Result<PathBuf> {
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

/// Makes a folder and those above it; one that is there keeps its mode.
fn make(path: &Path, mode: u32) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(path)
}

/// Writes a file with mode 0600, replacing what was there in one step.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".draft");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
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
            return Err(LocalError::Held { folder: folder.to_owned(), holder: holder.trim().to_owned() });
        }
        Err(fs::TryLockError::Error(source)) => return Err(at(source)),
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(at)?;
    writeln!(file, "{}", std::process::id()).map_err(at)?;
    Ok(file)
}

/// Whether `account` may pass through every folder down to `path`.
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

/// The same data folder always falls back to the same place.
fn fallback(path: &Path) -> io::Result<PathBuf> {
    let digest = hex::encode(Sha256::digest(path.as_os_str().as_encoded_bytes()));
    let folder = PathBuf::from("/var/tmp").join(format!("luci-{}", &digest[..12]));
    match fs::create_dir(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // /var/tmp is everybody's: a folder that somebody else put there is not ours to fill.
    if fs::symlink_metadata(&folder)?.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!("{} belongs to somebody else", folder.display())));
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o711))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder() {
        let room = tempfile::tempdir().expect("a folder");
        let first = Folder::open(room.path()).expect("free");
        let refused = Folder::open(room.path()).expect_err("held");
        assert!(refused.to_string().contains(&std::process::id().to_string()), "{refused}");
        drop(first);
        Folder::open(room.path()).expect("free again");
    }

    #[test]
    fn a_closed_parent_is_noticed() {
        let room = tempfile::tempdir().expect("a folder");
        let stranger = Account { uid: 65_534, gid: 65_534 };
        fs::set_permissions(room.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        assert!(enterable(room.path(), stranger));
        fs::set_permissions(room.path(), fs::Permissions::from_mode(0o700)).expect("ours");
        assert!(!enterable(&room.path().join("."), stranger));
    }

    #[test]
    fn a_private_file_is_closed_to_others() {
        let room = tempfile::tempdir().expect("a folder");
        let path = room.path().join("key");
        write_private(&path, "secret").expect("written");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
    }
}
