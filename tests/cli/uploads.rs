//! A large file through the command line: killed, cut off, and continued.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};

use crate::{
    binary::{err, last_json},
    support::{Servers, database, eventually, luci_with, nats, output, process, temp_dir},
};

/// A proxy that counts the parts it is sent.
#[derive(Default)]
struct Proxy {
    to: OnceLock<SocketAddr>,
    puts: AtomicUsize,
    /// Later parts are not passed on, and not answered.
    pass: AtomicUsize,
    /// The next part breaks off in its middle, and so does its connection.
    cut: AtomicBool,
}

impl Proxy {
    async fn start() -> (Arc<Self>, String) {
        let proxy = Arc::new(Self { pass: AtomicUsize::new(usize::MAX), ..Self::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let accepting = Arc::clone(&proxy);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let proxy = Arc::clone(&accepting);
                tokio::spawn(async move { proxy.carry(near).await });
            }
        });
        (proxy, url)
    }

    async fn carry(&self, near: TcpStream) {
        let Ok(far) = TcpStream::connect(self.to.get().expect("a gateway")).await else { return };
        let ((mut from_near, mut to_near), (mut from_far, mut to_far)) = (near.into_split(), far.into_split());
        let requests = async {
            let (mut buffer, mut left) = (vec![0; 64 << 10], usize::MAX);
            while let Ok(read @ 1..) = from_near.read(&mut buffer).await {
                // A client waits for the answer before its next request: one begins where something was read.
                if buffer[..read].starts_with(b"PUT /api/blobs/") {
                    if self.puts.fetch_add(1, SeqCst) >= self.pass.load(SeqCst) {
                        std::future::pending::<()>().await;
                    }
                    if self.cut.swap(false, SeqCst) {
                        left = 1 << 20;
                    }
                }
                if to_far.write_all(&buffer[..read]).await.is_err() || left <= read {
                    return;
                }
                left -= read;
            }
        };
        // Both ends are dropped with the first direction that ends.
        tokio::select! {
            () = requests => {}
            _ = copy(&mut from_far, &mut to_near) => {}
        }
    }

    fn sent(&self) -> usize {
        self.puts.load(SeqCst)
    }
}

/// A CSV of four parts of 8 MiB.
fn large(dir: &Path) -> PathBuf {
    let (file, note) = (dir.join("large.csv"), "n".repeat(30_000));
    let rows = (0..1000).map(|n| format!("Firm {n},(212) 555-{n:04},{note}\n"));
    let text: String = std::iter::once("Company,Phone,Note\n".to_owned()).chain(rows).collect();
    std::fs::write(&file, text).expect("written");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_killed_in_the_middle_sends_only_what_is_missing() {
    let (database, nats) = (database().await, nats().await);
    let (proxy, url) = Proxy::start().await;
    let mut luci = luci_with(Servers::on(&database, &nats), Vec::new()).await;
    let (api, dir) = (luci.api(), temp_dir("large"));
    let address = api.url.trim_start_matches("http://").parse().expect("an address");
    proxy.to.set(address).expect("set once");
    // From now on its signed URLs are those of the proxy.
    luci.set("LUCI_PUBLIC_URL", url);
    luci.stop().await;
    luci.start().await;
    let file = large(&dir);
    let import = ["import", file.to_str().expect("text"), "--json"];
    let variables = [("LUCI_URL", api.url.clone()), ("LUCI_API_KEY", api.key.clone())];

    proxy.pass.store(2, SeqCst);
    let mut killed = process(&import, variables.to_vec()).await;
    let status = async || {
        let (_, open) = api.get("/api/uploads").await;
        let id = open["uploads"][0]["importId"].as_str().unwrap_or("none").to_owned();
        api.get(&format!("/api/uploads/{id}")).await.1
    };
    // Two have arrived, the others are on their way for ever.
    eventually("two parts have arrived", async || status().await["missing"].as_array().is_some_and(|m| m.len() == 2))
        .await;
    killed.kill().expect("it ran");
    killed.wait().expect("it ended");
    luci.kill().await;
    luci.ready["url"] = api.url.clone().into();
    luci.start().await;

    let (before, sent) = (status().await, proxy.sent());
    assert_eq!(before["partCount"], 4, "{before}");
    assert_eq!(before["missing"].as_array().expect("numbers").len(), 2, "the gateway's own end changes nothing");
    proxy.pass.store(usize::MAX, SeqCst);
    proxy.cut.store(true, SeqCst);
    let borrowed: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let ended = output(&dir, &import, &borrowed).await;
    assert_eq!(ended.status.code(), Some(0), "{}", err(&ended));
    let imported: Value = last_json(&ended);
    assert_eq!((&imported["importId"], &imported["rows"]), (&before["importId"], &1000.into()), "{imported}");
    let told = err(&ended);
    assert!(told.contains("continuing the upload import_") && told.contains("2 of 4 parts have arrived"), "{told}");
    assert!(told.contains("again in 0.5 s"), "the one that broke off: {told}");
    assert_eq!(proxy.sent() - sent, 3, "two parts, one of them twice");
    assert!(!told.contains("sig="), "a signed address is a secret: {told}");
    luci.stop().await;
}
