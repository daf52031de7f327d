//! The instance that a command acts on, when several were started or the environment names another.

use std::path::{Path, PathBuf};

use super::{demo::DEMO_DIR, up::SANDBOX_DIR};
use crate::{config::Config, local::InstanceFile, process::telemetry};

/// A folder of a flag stands for its whole instance: the environment may have been sourced for another one. Without a flag,
/// `LUCI_DATA_DIR` or `LUCI_URL`, the first folder is taken in which an instance runs, or else was started: after `luci demo`,
/// the demo's.
pub fn choose(config: &mut Config) {
    if config.data_dir_is_default() {
        if config.url.is_none() && config.database_url.is_none() {
            other_folder(config);
        }
    } else if config.data_dir_is_flag() && instance(&config.data_dir).is_some() {
        config.forget_addresses();
    }
}

fn other_folder(config: &mut Config) {
    let all = [config.data_dir.clone(), DEMO_DIR.into(), SANDBOX_DIR.into()];
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
