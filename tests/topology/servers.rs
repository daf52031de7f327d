//! The servers of the topology: Postgres, three NATS nodes and an S3 store, from the files that compose.yaml gives them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use async_nats::jetstream;
use serde_json::Value;

use super::compose::{Compose, DEPLOY, configured, port};
use crate::support::{eventually, found, on_server_thread, search};

/// A program that ends with the tests; its output goes to a file of the folder.
pub fn spawn(program: &Path, name: &str, folder: &Path, change: impl FnOnce(&mut Command)) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join(format!("{name}.log"))).expect("a file");
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program).env_clear().env("PATH", path());
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log);
    change(&mut command);
    on_server_thread(move || command.spawn().expect("it starts"))
}

/// The checkers' folder has weed.
fn path() -> String {
    format!("{DEPLOY}/../.tools/checks/bin:/usr/bin:/bin")
}

fn run(command: &mut Command) {
    let output = command.env("PATH", path()).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", text(&output.stdout), text(&output.stderr));
}

/// Postgres refuses to run as root.
fn as_postgres(program: &Path) -> (PathBuf, Vec<String>) {
    if rustix::process::geteuid().is_root() {
        let account = ["--reuid=postgres", "--regid=postgres", "--init-groups"].map(str::to_owned);
        return ("/usr/bin/setpriv".into(), [&account[..], &[program.display().to_string()]].concat());
    }
    (program.to_owned(), Vec::new())
}

/// As the image does it: a cluster with `POSTGRES_INITDB_ARGS`, a server with the service's command, then init.sh.
pub async fn postgres(compose: &mut Compose) -> Child {
    let (bin, port) = (search().postgres(None).expect("PostgreSQL"), port());
    compose.replace("postgres:5432", format!("127.0.0.1:{port}"));
    let folder = compose.folder.join("postgres");
    fs::create_dir(&folder).expect("a folder");
    let (data, password) = (folder.join("data"), folder.join("password"));
    fs::write(&password, compose.secret("POSTGRES_PASSWORD")).expect("written");
    let config = configured(compose, "postgres/postgresql.conf", &folder);
    if rustix::process::geteuid().is_root() {
        run(Command::new("chown").arg("-R").arg("postgres").arg(&folder));
    }
    let (program, arguments) = as_postgres(&bin.join("initdb"));
    let settings = compose.settings("postgres");
    let initdb = settings["POSTGRES_INITDB_ARGS"].split(' ');
    run(Command::new(program)
        .args(arguments)
        .args(initdb)
        .args(["-U", "postgres", "-A", "scram-sha-256", "--no-sync"])
        .arg("-D")
        .arg(&data)
        .arg("--pwfile")
        .arg(&password)
        .current_dir(&folder));
    let command = compose.words("postgres", "command");
    assert_eq!(command[0], "postgres");
    let (program, arguments) = as_postgres(&bin.join("postgres"));
    let server = spawn(&program, "postgres", &compose.folder, |postgres| {
        postgres.args(arguments).arg("-D").arg(&data).current_dir(&folder).arg("-c");
        postgres.arg(format!("config_file={}", config.display()));
        // Instead of the container's port, memory and disk.
        let local = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".into(),
            "shared_buffers=128MB".into(),
            "unix_socket_directories=".into(),
            "fsync=off".into(),
        ];
        postgres.args(local.iter().flat_map(|setting| ["-c", setting]));
    });
    eventually("Postgres accepts connections", async || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())
        .await;
    let init = compose.here(&fs::read_to_string(format!("{DEPLOY}/postgres/init.sh")).expect("a file"));
    run(Command::new("sh")
        .arg("-c")
        .arg(init)
        .env("POSTGRES_USER", "postgres")
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", port.to_string())
        .env("PGPASSWORD", compose.secret("POSTGRES_PASSWORD")));
    server
}

/// Three nodes with their addresses; `nats:4222` is the first one, from which clients learn of the others.
pub async fn nats(compose: &mut Compose) -> Vec<(Child, String)> {
    let program = search().nats(&compose.folder).expect("nats-server");
    let program = fs::canonicalize(program).expect("a path");
    let nodes: Vec<(String, u16, u16)> = (1..=3).map(|node| (format!("nats-{node}"), port(), port())).collect();
    compose.replace("@nats:4222", format!("@127.0.0.1:{}", nodes[0].1));
    for (name, _, routes) in &nodes {
        compose.replace(format!("{name}:6222"), format!("127.0.0.1:{routes}"));
    }
    let mut servers = Vec::new();
    for (name, clients, routes) in nodes {
        let folder = compose.folder.join(&name);
        fs::create_dir(&folder).expect("a folder");
        let text = fs::read_to_string(configured(compose, "nats/luci.conf", &folder)).expect("a file");
        let listens = [("0.0.0.0:4222", clients), ("0.0.0.0:6222", routes), ("0.0.0.0:8222", port())];
        let text = listens.iter().fold(text, |text, (from, to)| text.replace(from, &format!("127.0.0.1:{to}")));
        let text = text.replace("\"/data\"", &format!("\"{}\"", folder.display()));
        fs::write(folder.join("luci.conf"), text).expect("written");
        for file in ["users.conf", "routes.conf"] {
            fs::write(folder.join(file), compose.secret(file)).expect("written");
        }
        let command = compose.words(&name, "command").into_iter();
        let command: Vec<String> =
            command.map(|word| word.replace("/etc/nats", &folder.display().to_string())).collect();
        let node = compose.settings(&name)["NATS_NODE"].clone();
        let server = spawn(&program, &name, &compose.folder, |nats| {
            nats.args(command).env("NATS_NODE", node);
        });
        servers.push((server, format!("127.0.0.1:{clients}")));
    }
    servers
}

/// What the service `streams` does with its client: creates both streams with three replicas.
pub async fn streams(client: &async_nats::Client) {
    for file in ["evt", "seals"] {
        let config: Value =
            serde_json::from_slice(&fs::read(format!("{DEPLOY}/nats/{file}.json")).expect("a file")).expect("JSON");
        let subject = format!("$JS.API.STREAM.CREATE.{}", config["name"].as_str().expect("a name"));
        let created = async || {
            let body = serde_json::to_vec(&config).expect("JSON").into();
            let answer = client.request(subject.clone(), body).await.ok()?;
            let answer: Value = serde_json::from_slice(&answer.payload).ok()?;
            answer["config"]["num_replicas"].as_u64()
        };
        assert_eq!(found("a stream in the cluster", created).await, 3);
    }
}

/// The store with the service's command, then the bucket with the command of `bucket`.
pub async fn s3(compose: &mut Compose) -> Child {
    let (s3, master) = (port(), port());
    compose.replace("s3.localhost:8333", format!("127.0.0.1:{s3}"));
    compose.replace("master=s3:9333", format!("master=127.0.0.1:{master}"));
    compose.replace("-ip=s3", "-ip=127.0.0.1");
    compose.replace("-ip.bind=0.0.0.0", "-ip.bind=127.0.0.1");
    compose.replace("-s3.port=8333", format!("-s3.port={s3}"));
    let folder = compose.folder.join("s3");
    fs::create_dir(&folder).expect("a folder");
    compose.replace("-dir=/data", format!("-dir={}", folder.display()));
    compose.replace("/etc/seaweedfs", compose.folder.join("secrets").display().to_string());
    let mut command = compose.words("s3", "command");
    command.extend([
        format!("-master.port={master}"),
        format!("-volume.port={}", port()),
        format!("-filer.port={}", port()),
    ]);
    let weed = Path::new(DEPLOY).join("../.tools/checks/bin/weed");
    assert!(weed.exists(), "no weed: run deploy/setup.sh page");
    let server = spawn(&weed, "s3", &compose.folder, |weed| {
        weed.args(command);
    });
    let status = format!("http://127.0.0.1:{s3}/status");
    eventually("the store answers", async || reqwest::get(&status).await.is_ok_and(|it| it.status().is_success()))
        .await;
    let script = compose.words("bucket", "command");
    eventually("the bucket exists", async || {
        let made = Command::new("sh").arg("-euc").arg(&script[0]).env("PATH", path()).output().expect("it runs");
        String::from_utf8_lossy(&made.stdout).contains("created bucket")
    })
    .await;
    server
}

/// A client of the cluster's user.
pub async fn client(compose: &Compose) -> async_nats::Client {
    let address: async_nats::ServerAddr = compose.secret("LUCI_NATS_URL").parse().expect("a URL");
    let (user, password) = (address.username().expect("one").to_owned(), compose.secret("NATS_PASSWORD"));
    let options = async_nats::ConnectOptions::with_user_and_password(user, password).retry_on_initial_connect();
    options.connect(address).await.expect("a client")
}

/// Replicas and messages of a stream.
pub async fn stream(client: &async_nats::Client, name: &str) -> (usize, u64) {
    let mut stream = jetstream::new(client.clone()).get_stream(name).await.expect("the stream");
    let info = stream.info().await.expect("its state");
    (info.config.num_replicas, info.state.messages)
}
