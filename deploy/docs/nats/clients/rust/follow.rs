//! Follows the events of a run on NATS: every event once, in order, whatever happens to the connection.
//!
//! Needs `async-nats` 0.51, `futures`, `reqwest`, `serde_json` and `tokio`.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, Message};
use futures::StreamExt;
use reqwest::Method;
use serde_json::Value;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// An event, as both NATS and the API give it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub version: u64,
    pub id: String,
    /// `block:completed`
    pub kind: String,
    pub data: Value,
}

/// Where a follower is.
pub struct Follower<H> {
    pub luci: String,
    pub key: String,
    pub run: String,
    pub handle: H,
    /// The version of the last event that was handled; 0 to begin.
    pub last: u64,
    ended: bool,
    http: reqwest::Client,
}

impl<H: FnMut(Event)> Follower<H> {
    pub fn new(luci: &str, key: &str, run: &str, handle: H) -> Self {
        let (luci, key, run) = (luci.to_owned(), key.to_owned(), run.to_owned());
        Self { luci, key, run, handle, last: 0, ended: false, http: reqwest::Client::new() }
    }

    async fn call(&self, method: Method, path: &str) -> Result<Value, Error> {
        let request = self.http.request(method, format!("{}{path}", self.luci)).bearer_auth(&self.key);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    fn deliver(&mut self, event: Event) {
        if self.ended || event.version != self.last + 1 {
            return; // A repeat.
        }
        self.last = event.version;
        self.ended = matches!(event.kind.as_str(), "run:completed" | "run:failed" | "run:cancelled" | "run:deleted");
        (self.handle)(event);
    }

    async fn refill(&mut self) -> Result<(), Error> {
        let mut more = true;
        while more && !self.ended {
            let path = format!("/api/pipelines/{}/events?after=v{}&limit=200", self.run, self.last);
            let mut page = self.call(Method::GET, &path).await?;
            more = page["hasMore"] == true;
            for event in page["events"].as_array_mut().into_iter().flatten() {
                let (version, data) = (event["version"].as_u64().unwrap_or(0), event["data"].take());
                self.deliver(Event { version, id: text(&event["eventId"]), kind: text(&event["type"]), data });
            }
        }
        Ok(())
    }

    /// Returns when the run has ended.
    ///
    /// # Errors
    /// When the gateway refuses a request: another try gets the same answer.
    pub async fn follow(&mut self) -> Result<(), Error> {
        while !self.ended {
            if let Err(error) = self.session().await {
                if refused(error.as_ref()) {
                    return Err(error);
                }
                eprintln!("reconnecting: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }

    /// One connection with a credential of its own: when it ends, the next begins, and fills the hole.
    async fn session(&mut self) -> Result<(), Error> {
        let credential = self.call(Method::POST, "/api/nats-credentials").await?;
        let options = ConnectOptions::with_token(text(&credential["credential"]["token"]));
        let options = options.custom_inbox_prefix(text(&credential["inboxPrefix"])).max_reconnects(1);
        let client: Client = options.connect(text(&credential["url"])).await?;
        let tenant = text(&credential["subjects"][0]).split('.').nth(1).unwrap_or_default().to_owned();
        let mut messages = client.subscribe(format!("luci.{tenant}.{}.>", self.run)).await?;
        client.flush().await?;
        self.refill().await?; // What was before the subscription.
        while !self.ended {
            match tokio::time::timeout(Duration::from_secs(1), messages.next()).await {
                Ok(Some(message)) => self.received(&message).await?,
                Ok(None) => return Err("the connection is closed".into()),
                // Core NATS does not say what was lost at the end: after a quiet second, the log is asked.
                Err(_quiet) => self.refill().await?,
            }
        }
        Ok(())
    }

    async fn received(&mut self, message: &Message) -> Result<(), Error> {
        let header = message.headers.as_ref().and_then(|headers| headers.get("Luci-Version"));
        let version: u64 = header.ok_or("no version")?.as_str().parse()?;
        if version > self.last + 1 {
            self.refill().await?; // A hole.
        }
        let mut body: Value = serde_json::from_slice(&message.payload)?;
        // `luci.block.completed.v1` is `block:completed`.
        let kind = text(&body["type"]).split('.').skip(1).take(2).collect::<Vec<_>>().join(":");
        let (id, data) = (text(&body["id"]), body["data"].take());
        self.deliver(Event { version, id, kind, data });
        Ok(())
    }
}

fn refused(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let status = error.downcast_ref::<reqwest::Error>().and_then(reqwest::Error::status);
    status.is_some_and(|status| status.is_client_error() && status.as_u16() != 429)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
