//! Child processes: this test binary, started again for one test until it is killed.

use std::{
    env,
    process::{Child, Command, Stdio},
};

const ROLE: &str = "LUCI_TEST_CHILD";
const URL: &str = "LUCI_TEST_CHILD_URL";

/// Starts `test` (its path in this binary) in a child, with the database's URL.
pub fn spawn(test: &str, url: &str) -> Child {
    Command::new(env::current_exe().expect("this binary"))
        .args([test, "--exact", "--nocapture"])
        .env(ROLE, test)
        .env(URL, url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process")
}

/// In a child that was started for `test`: the database's URL. Elsewhere none, and the test does nothing.
#[allow(clippy::disallowed_methods, reason = "how a child learns its task")]
pub fn url_for(test: &str) -> Option<String> {
    (env::var(ROLE).ok()? == test).then(|| env::var(URL).expect("set with the role"))
}

/// Seconds that the long tests last: 10, or what LUCI_TEST_SECONDS says.
#[allow(clippy::disallowed_methods, reason = "the tests' own switch")]
pub fn seconds() -> u64 {
    env::var("LUCI_TEST_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10)
}
