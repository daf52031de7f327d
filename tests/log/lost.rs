//! The connection is lost in the middle: each append is in the log exactly once, and its caller is told so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use luci_schema::{
    Position, RunId, TenantId,
    log::{AppendError, Log, LogOptions},
    migrate::{self, Role},
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
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let log = log.clone();
            tokio::spawn(async move {
                let run = RunId::generate();
                for version in 0..40 {
                    let appended = log.append(append(tenant, run, version, 1)).await.expect("appended");
                    assert_eq!(appended.version().0, version + 1);
                }
            })
        })
        .collect();
    for _ in 0..15 {
        tokio::time::sleep(Duration::from_millis(15)).await;
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity
              where datname = current_database() and application_name = 'luci-append'",
        )
        .execute(&owner)
        .await
        .expect("terminated");
    }
    for caller in callers {
        caller.await.expect("no panic");
    }
    assert_whole(&owner, 320).await;
}

/// A cable to Postgres that can be cut: after `cut`, the next words of a client still arrive and their answer does not.
struct Cable {
    url: String,
    cut: Arc<AtomicBool>,
}

impl Cable {
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
        tokio::spawn(carry(client, server, cut.clone()));
    }
}

async fn carry(client: TcpStream, server: TcpStream, cut: Arc<AtomicBool>) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let (mut asked, mut answer) = (vec![0; 65_536], vec![0; 65_536]);
    let mut severed = false;
    loop {
        tokio::select! {
            read = from_client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                // Only the append statement's first word is worth cutting for: it is long, polls and rollbacks are short.
                severed = length > 400 && cut.swap(false, Ordering::SeqCst);
                if to_server.write_all(&asked[..length]).await.is_err() { return }
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
    let cable = Cable::to(database.url()).await;
    let pool = migrate::connect(&cable.url, Role::Engine, 2).await.expect("a pool");
    let (log, tenant) = (Log::open(pool, LogOptions::default()).await.expect("a log"), TenantId::generate());
    let run = RunId::generate();
    log.append(append(tenant, run, 0, 1)).await.expect("appended");
    for version in 1..6 {
        cable.cut.store(true, Ordering::SeqCst);
        let name = format!("go on to {version}");
        let next =
            if version % 2 == 0 { append(tenant, run, version, 2) } else { command(tenant, run, version, &name) };
        let next = luci_schema::log::Append { events: vec![super::event("internal")], ..next };
        let appended = log.append(next).await.expect("appended once");
        assert!(!cable.cut.load(Ordering::SeqCst), "the cable was cut");
        assert_eq!((appended.version().0, appended.position().0), (version + 1, version + 1));
        assert_eq!(log.read(Position(version), 10).await.expect("read"), appended.events);
    }
    let again = log.append(command(tenant, run, 1, "go on to 1")).await;
    assert!(matches!(again, Err(AppendError::AlreadyDone(_))), "{again:?}");
    assert_whole(&database.pool().await, 6).await;
}
