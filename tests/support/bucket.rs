//! A bucket of a real S3 server, which checks signatures, expiry and checksums.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use luci_storage::{S3Config, Storage};

use super::servers::{on_server_thread, temp_dir};

const BUCKET: &str = "outreachglobal-dev";
const REGION: &str = "us-east-1";
const KEY_ID: &str = "an-access-key";
const SECRET: &str = "a secret key";

pub struct Bucket {
    pub storage: Storage,
    pub endpoint: String,
    /// Where the server keeps its buckets.
    pub folder: PathBuf,
    server: Child,
}

impl Bucket {
    /// Starts a server of its own with one empty bucket.
    pub async fn new() -> Self {
        // Another test of this process may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = temp_dir("bucket");
        std::fs::create_dir(folder.join(BUCKET)).expect("a bucket");
        let of = folder.clone();
        let (server, endpoint) = tokio::task::spawn_blocking(move || start(&of)).await.expect("it starts");
        let storage = Storage::s3(S3Config {
            bucket: BUCKET.into(),
            region: REGION.into(),
            endpoint: Some(endpoint.clone()),
            access_key_id: KEY_ID.into(),
            secret_access_key: SECRET.into(),
        });
        Self { storage: storage.expect("a store"), endpoint, folder, server }
    }

    /// What a process needs to use the bucket.
    pub fn settings(&self) -> [(&'static str, String); 5] {
        [
            ("LUCI_STORE_URL", format!("s3://{BUCKET}")),
            ("LUCI_STORE_REGION", REGION.to_owned()),
            ("LUCI_STORE_ENDPOINT", self.endpoint.clone()),
            ("LUCI_STORE_KEY_ID", KEY_ID.to_owned()),
            ("LUCI_STORE_SECRET", SECRET.to_owned()),
        ]
    }
}

fn start(folder: &Path) -> (Child, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_luci")).with_file_name("luci-s3-server");
    assert!(program.is_file(), "{} is missing: `cargo build -p luci-s3-server`", program.display());
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program).arg(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = on_server_thread(move || command.spawn().expect("it starts"));
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    (server, line.trim().to_owned())
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _gone = self.server.kill();
        let _reaped = self.server.wait();
    }
}
