//! A nats-server per test, which can be stopped, wiped and started again on the same address.

use std::path::PathBuf;

use luci::{
    broker::{BrokerAccess, BrokerUser, Passwords},
    local::{Folder, Lifetime, Nats as Server},
};

use super::{
    servers::{on_server_thread, search, temp_dir},
    system::vault,
};

/// A private nats-server with JetStream; ended when this value goes.
#[derive(Debug)]
pub struct Nats {
    folder: Option<Folder>,
    server: Option<Server>,
    url: String,
}

/// Starts a nats-server for this test alone.
pub async fn nats() -> Nats {
    let mut nats =
        Nats { folder: Some(Folder::open(&temp_dir("nats")).expect("a folder")), server: None, url: String::new() };
    nats.restart().await;
    nats
}

impl Nats {
    /// `nats://user:password@127.0.0.1:PORT`, the same after a restart; this user may do everything.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A user for each role, as for `luci up`.
    pub fn access(&self) -> BrokerAccess {
        self.server.as_ref().expect("it runs").access()
    }

    /// The port of clients.
    pub fn port(&self) -> u16 {
        self.server.as_ref().expect("it runs").port()
    }

    /// The URL of one user.
    pub fn url_of(&self, user: BrokerUser) -> String {
        self.server.as_ref().expect("it runs").url(user)
    }

    /// A connected client that reconnects forever.
    pub async fn client(&self) -> async_nats::Client {
        // The client does not read credentials out of the address.
        let address: async_nats::ServerAddr = self.url.parse().expect("our own url");
        let (user, password) = (address.username().expect("one"), address.password().expect("one"));
        let options = async_nats::ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned());
        options.connect(&self.url).await.expect("the server of this test")
    }

    /// Ends the server cleanly; its files stay.
    pub async fn stop(&mut self) {
        let Some(server) = self.server.take() else { return };
        tokio::task::spawn_blocking(move || server.stop()).await.expect("stopped");
    }

    /// Ends the server as a crash would; its files stay.
    pub async fn kill(&mut self) {
        let Some(server) = self.server.take() else { return };
        tokio::task::spawn_blocking(move || server.kill()).await.expect("killed");
    }

    /// Ends the server and forgets every stream and message.
    pub async fn wipe(&mut self) {
        self.stop().await;
        let _never_had_any = std::fs::remove_dir_all(self.jetstream());
    }

    /// The folder of its streams.
    pub fn jetstream(&self) -> PathBuf {
        self.folder.as_ref().expect("held").servers.join("nats/jetstream")
    }

    /// Starts the server again, on the same address.
    pub async fn restart(&mut self) {
        self.stop().await;
        let folder = self.folder.take().expect("held");
        let (server, folder) = tokio::task::spawn_blocking(move || {
            on_server_thread(move || {
                let passwords = Passwords::new(&vault()).expect("passwords");
                let server = Server::start(&search(), &folder, &passwords, Lifetime::WithStarter);
                (server.unwrap_or_else(|error| panic!("{error}")), folder)
            })
        })
        .await
        .expect("started");
        self.url = server.url(BrokerUser::Operator);
        self.folder = Some(folder);
        self.server = Some(server);
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
        if let Some(folder) = self.folder.take() {
            let _the_next_process_sweeps = std::fs::remove_dir_all(&folder.path);
        }
    }
}
