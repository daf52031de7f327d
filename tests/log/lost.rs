//! The connection is lost during appends: each append is in the log exactly once, and its caller gets the answer.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use luci_schema::{
    Position, RunId, TenantId,
    log::{AppendError, Log, LogOptions},
    migrate::{self, DatabaseRole},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{append, assert_whole, command, open};
use crate::support;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn appends_survive_the_loss_of_their_connection() {
    let database = support::database().await;
    let (log, owner, tenant) = (open(&database).await, database.pool().await, TenantId::generate());
    let enough = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (log, enough) = (log.clone(), enough.clone());
            tokio::spawn(async move {
                let (run, mut version) = (RunId::generate(), 0);
                while !enough.load(Ordering::SeqCst) {
                    let appended = log.append(append(tenant, run, version, 1)).await.expect("appended");
                    version += 1;
                    assert_eq!(appended.version().0, version);
                }
                version
            })
        })
        .collect();
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and application_name = 'luci-append'";
    let mut cuts = 0;
    support::eventually("fifteen connections were cut", async || {
        cuts += sqlx::query_scalar::<_, i64>(cut).fetch_one(&owner).await.expect("cut");
        cuts >= 15
    })
    .await;
    enough.store(true, Ordering::SeqCst);
    let mut events = 0;
    for caller in callers {
        events += caller.await.expect("no panic");
    }
    assert_whole(&owner, events as i64).await;
}

/// A proxy to Postgres that can be cut: after `cut`, the next request still arrives and its answer does not.
struct Proxy {
    url: String,
    cut: Arc<AtomicBool>,
}

impl Proxy {
    async fn to(url: &str) -> Self {
        let mut address: url::Url = url.parse().expect("our own url");
        let server = (address.host_str().expect("a host").to_owned(), address.port().expect("a port"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        address.set_host(Some("127.0.0.1")).expect("a host");
        address.set_port(Some(listener.local_addr().expect("bound").port())).expect("a port");
        let cut = Arc::new(AtomicBool::new(false));
        tokio::spawn(listen(listener, server, cut.clone()));
        Self { url: address.to_string(), cut }
    }
}

async fn listen(listener: TcpListener, server: (String, u16), cut: Arc<AtomicBool>) {
    while let Ok((client, _)) = listener.accept().await {
        let server = TcpStream::connect(server.clone()).await.expect("the server");
        tokio::spawn(forward(client, server, cut.clone()));
    }
}

async fn forward(client: TcpStream, server: TcpStream, cut: Arc<AtomicBool>) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let (mut request, mut answer) = (vec![0; 65_536], vec![0; 65_536]);
    let mut severed = false;
    loop {
        tokio::select! {
            read = from_client.read(&mut request) => {
                let Ok(length @ 1..) = read else { return };
                // Cut only at the start of an append: that message is long, polls and rollbacks are short.
                severed = length > 400 && cut.swap(false, Ordering::SeqCst);
                if to_server.write_all(&request[..length]).await.is_err() { return }
            }
            read = from_server.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                if severed || to_client.write_all(&answer[..length]).await.is_err() { return }
            }
        }
    }
}

#[tokio::test]
async fn an_append_that_landed_before_the_loss_is_found_again() {
    let database = support::database().await;
    let proxy = Proxy::to(database.url()).await;
    let pool = migrate::connect(&proxy.url, DatabaseRole::Engine, 2).await.expect("a pool");
    let (log, tenant) = (Log::open(pool, LogOptions::default()).await.expect("a log"), TenantId::generate());
    let run = RunId::generate();
    log.append(append(tenant, run, 0, 1)).await.expect("appended");
    for version in 1..6 {
        proxy.cut.store(true, Ordering::SeqCst);
        let name = format!("go on to {version}");
        let next =
            if version % 2 == 0 { append(tenant, run, version, 2) } else { command(tenant, run, version, &name) };
        let next = luci_schema::log::Append { events: vec![super::event("internal")], ..next };
        let appended = log.append(next).await.expect("appended once");
        assert!(!proxy.cut.load(Ordering::SeqCst), "the connection was cut");
        assert_eq!((appended.version().0, appended.position().0), (version + 1, version + 1));
        assert_eq!(log.read(Position(version), 10).await.expect("read"), appended.events);
    }
    let again = log.append(command(tenant, run, 1, "go on to 1")).await;
    assert!(matches!(again, Err(AppendError::AlreadyDone(_))), "{again:?}");
    assert_whole(&database.pool().await, 6).await;
}
