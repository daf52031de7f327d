//! The API, as the commands of this program call it.

use std::path::Path;

use anyhow::Context;
use futures::TryStreamExt;
use reqwest::{Method, Response, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio_util::io::ReaderStream;

use crate::{
    cli::Missing,
    config::Config,
    instance::{Credentials, Instance},
};

/// A gateway and a key for it.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    key: SecretString,
}

/// The gateway refused: an RFC 9457 problem.
#[derive(Debug, thiserror::Error)]
#[error("{status} {}", .problem["title"].as_str().unwrap_or("refused"))]
pub struct Refused {
    pub status: u16,
    pub problem: Value,
}

impl Refused {
    /// `409 Conflict: the run is paused`, without repeating itself.
    pub fn sentence(&self) -> String {
        match self.problem["detail"].as_str() {
            Some(detail) => format!("{self}: {detail}"),
            None => self.to_string(),
        }
    }
}

impl Api {
    pub fn new(base: String, key: SecretString) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().connect_timeout(std::time::Duration::from_secs(10)).build()?;
        Ok(Self { http, base, key })
    }

    /// The gateway of `LUCI_URL` and `LUCI_API_KEY`, else that of the instance in the data folder.
    pub fn find(config: &Config) -> anyhow::Result<Self> {
        let at_home = || Instance::read(&config.data_dir).ok().flatten();
        let url = config.url.clone().or_else(|| Some(at_home()?.url));
        let own_key = || Credentials::first(&config.data_dir).ok().flatten();
        let key = config.api_key.clone().or_else(|| Some(own_key()?.api_key.into()));
        let remedy = "name the gateway, or a --data-dir where `luci up` runs";
        let base = url.ok_or(Missing { name: "LUCI_URL", remedy })?;
        Self::new(base, key.ok_or(Missing { name: "LUCI_API_KEY", remedy: "it authenticates the call" })?)
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None, None).await
    }

    /// The answer's text: a number or the order of fields may matter to the caller.
    pub async fn text(&self, path: &str) -> anyhow::Result<String> {
        Ok(self.open(path).await?.text().await?)
    }

    /// The answer as it comes, for those that are large; a redirect is followed, without the key where it leads elsewhere.
    pub async fn open(&self, path: &str) -> anyhow::Result<Response> {
        self.send(Method::GET, path, None, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body), None).await
    }

    /// The same `key` and body again answer the same and change nothing.
    pub async fn post_once(&self, path: &str, body: &Value, key: &str) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body), Some(key)).await
    }

    /// PUT of JSON.
    pub async fn set(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::PUT, path, Some(body), None).await
    }

    pub async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::DELETE, path, None, None).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        once: Option<&str>,
    ) -> anyhow::Result<Value> {
        let text = self.send(method, path, body, once).await?.text().await?;
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        once: Option<&str>,
    ) -> anyhow::Result<Response> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        request = request.bearer_auth(self.key.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = once {
            request = request.header("idempotency-key", key);
        }
        let response = request.send().await.with_context(|| format!("{} does not answer", self.base))?;
        checked(response).await
    }

    /// Sends a file to the address that an announced upload got; `told` hears how many bytes have gone.
    pub async fn put(
        &self,
        url: &str,
        file: &Path,
        content_type: &str,
        told: impl Fn(u64) + Send + Sync + 'static,
    ) -> anyhow::Result<()> {
        let opened = tokio::fs::File::open(file).await.with_context(|| format!("{} cannot be read", file.display()))?;
        let size = opened.metadata().await?.len();
        let bytes = ReaderStream::with_capacity(opened, 256 * 1024);
        let bytes = bytes.inspect_ok(move |chunk| told(u64::try_from(chunk.len()).unwrap_or(u64::MAX)));
        // A store of its own gets no key of ours: the address is signed.
        let request =
            self.http.put(url).header(header::CONTENT_LENGTH, size).header(header::CONTENT_TYPE, content_type);
        let sent = request.body(reqwest::Body::wrap_stream(bytes)).send().await;
        // The address is a secret for as long as it is valid.
        let response = sent.map_err(reqwest::Error::without_url).context("the store did not take the file")?;
        checked(response).await?;
        Ok(())
    }
}

async fn checked(response: Response) -> anyhow::Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = response.text().await.unwrap_or_default();
    let problem = serde_json::from_str(&text).unwrap_or(Value::Null);
    Err(Refused { status: status.as_u16(), problem }.into())
}
