//! An S3 server for tests: `luci-s3-server FOLDER` serves the buckets that are folders there, and checks signatures, expiry and
//! checksums. It prints its URL, and ends when its standard input does.

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::{io::AsyncReadExt as _, net::TcpListener};

#[tokio::main]
async fn main() {
    let folder = std::env::args().nth(1).expect("luci-s3-server FOLDER");
    let mut service = S3ServiceBuilder::new(FileSystem::new(folder).expect("a folder of buckets"));
    service.set_auth(SimpleAuth::from_single("an-access-key", "a secret key"));
    let service = service.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("http://{}", listener.local_addr().expect("an address"));
    let accept = async {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let http = Builder::new(TokioExecutor::new());
                let _ended_by_the_client = http.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    };
    let (mut stdin, mut input) = (tokio::io::stdin(), Vec::new());
    tokio::select! {
        () = accept => {}
        _ = stdin.read_to_end(&mut input) => {}
    }
}
