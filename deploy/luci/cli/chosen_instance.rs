//! The instance that a command acts on, when several were started or the environment names another.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::{demo::DEMO_DIR, up::SANDBOX_DIR};
use crate::{config::Config, local::InstanceFile, process::telemetry};

/// A folder of a flag stands for its whole instance: the environment may have been sourced for another one. Without a flag,
/// `LUCI_DATA_DIR` or `LUCI_URL`, the first folder is taken in which an instance runs, or else was started: after `luci demo`,
/// the demo's. With the variables that `luci env` printed here, it is the folder that it printed them for: an operator's command
/// needs more than they say.
pub fn choose(config: &mut Config) {
    if config.data_dir_is_default() {
        if config.url.is_none() && config.database_url.is_none() {
            other_folder(config);
        } else {
            sourced_folder(config, &folders(config));
        }
    } else if config.data_dir_is_flag() && instance(&config.data_dir).is_some() {
        config.forget_addresses();
    }
}

fn folders(config: &Config) -> [PathBuf; 3] {
    [config.data_dir.clone(), DEMO_DIR.into(), SANDBOX_DIR.into()]
}

fn sourced_folder(config: &mut Config, folders: &[PathBuf]) {
    let Some(url) = config.database_url.as_ref().map(|url| url.expose_secret().to_owned()) else { return };
    let printed = |dir: &PathBuf| instance(dir).is_some_and(|found| found.database_url == url);
    if let Some(found) = folders.iter().find(|dir| printed(dir)) {
        config.set_data_dir(found);
    }
}

fn other_folder(config: &mut Config) {
    let all = folders(config);
    let running = |dir: &&PathBuf| instance(dir).is_some_and(|found| found.is_running());
    let found = all.iter().find(running).or_else(|| all.iter().find(|dir| instance(dir).is_some()));
    if let Some(found) = found.filter(|found| **found != config.data_dir) {
        telemetry::notice(format_args!("using the instance in {}", found.display()));
        config.set_data_dir(found);
    }
}

fn instance(dir: &Path) -> Option<InstanceFile> {
    InstanceFile::read(dir).ok().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::local::PrivateServers;

    const DATABASE: &str = "postgres://luci:secret@127.0.0.1:34465/luci";

    fn started(dir: &Path, database_url: &str) {
        let file = InstanceFile {
            pid: 1,
            url: "http://127.0.0.1:8080".into(),
            database_url: database_url.into(),
            nats_url: "nats://operator:secret@127.0.0.1:4222".into(),
            nats_reader_url: Some("nats://reader:secret@127.0.0.1:4222".into()),
            nats_web_socket_url: None,
            store_url: "file:///objects".into(),
            store: BTreeMap::new(),
            private: PrivateServers::default(),
        };
        file.write(dir).expect("written");
    }

    #[test]
    fn printed_variables_stand_for_the_folder_that_they_were_printed_for() {
        let (other, sandbox) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        started(other.path(), "postgres://luci:secret@127.0.0.1:1/luci");
        started(sandbox.path(), DATABASE);
        let folders = [other.path().to_owned(), sandbox.path().to_owned()];
        let chosen = |database: &str| {
            let variables = BTreeMap::from([("LUCI_DATABASE_URL".to_owned(), database.to_owned())]);
            let mut config = Config::read(variables).expect("a configuration");
            sourced_folder(&mut config, &folders);
            config.data_dir
        };
        assert_eq!(chosen(DATABASE), sandbox.path());
        assert_eq!(chosen("postgres://elsewhere/luci"), Path::new(".luci"), "a database that no folder has");
    }
}
