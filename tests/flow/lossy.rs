//! Connections that break: the last bytes written never arrive, between messages or within one.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, copy},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::fixture::{assert_equal, chatter, log, quick, relay, relayed};
use crate::support;

/// A proxy to `to`. Each of the first connections breaks after its number of bytes.
async fn line(to: SocketAddr, breaks: &[u64]) -> (SocketAddr, Arc<Mutex<VecDeque<u64>>>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let left = Arc::new(Mutex::new(breaks.iter().copied().collect::<VecDeque<_>>()));
    let (mut lines, ahead) = (JoinSet::new(), Arc::clone(&left));
    lines.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((near, _)) = listener.accept().await {
            let bytes = ahead.lock().expect("whole").pop_front().unwrap_or(u64::MAX);
            open.spawn(async move {
                let far = TcpStream::connect(to).await.expect("the broker");
                let ((from_near, mut to_near), (mut from_far, mut to_far)) = (near.into_split(), far.into_split());
                let mut carried = from_near.take(bytes);
                // Both ends are dropped with the first direction that ends.
                tokio::select! {
                    _ = copy(&mut carried, &mut to_far) => {}
                    _ = copy(&mut from_far, &mut to_near) => {}
                }
            });
        }
    });
    (address, left, lines)
}

#[tokio::test]
async fn messages_lost_with_a_connection_are_published_again_and_none_twice() {
    let (database, nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    chatter(&log, 600).await;
    let broker: async_nats::ServerAddr = nats.url().parse().expect("our own url");
    // A share is some 70 kB here: within the first, at the end of a later one or about it.
    let to = SocketAddr::from(([127, 0, 0, 1], broker.port()));
    let (address, left, _lines) = line(to, &[20_000, 120_000, 200_001]).await;
    let through = nats.url().replace(&format!(":{}", broker.port()), &format!(":{}", address.port()));
    let relaying = relay(quick("one"), &log, &through).await;
    let client = nats.client().await;
    relayed(&client, &log).await;
    assert!(left.lock().expect("whole").is_empty(), "every break was met");
    assert_equal(&client, &log).await;
    relaying.end().await;
}
