//! The HTTP client for the gateway's API.

use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use futures::TryStreamExt;
use reqwest::{Method, Response, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio_util::io::ReaderStream;

use super::UsageError;
use crate::{
    config::{Config, MissingSetting},
    local::{Credentials, InstanceFile},
};

/// What is read or sent at once of an upload.
const PIECE: usize = 256 << 10;

/// The gateway's URL and an API key.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    base_url: String,
    key: SecretString,
}

/// An error response of the gateway, with its RFC 9457 problem.
#[derive(Debug, thiserror::Error)]
#[error("{status} {}", .problem["title"].as_str().unwrap_or("without a problem document"))]
pub struct ApiError {
    pub status: u16,
    pub problem: Value,
}

impl ApiError {
    /// The problem's machine-readable kind, like `parts-missing`; `None` when the response has no problem document.
    pub fn kind(&self) -> Option<&str> {
        self.problem["type"].as_str()?.rsplit(':').next()
    }

    /// With the problem's detail: `409 Conflict: the run is paused`.
    pub fn detailed(&self) -> String {
        match self.problem["detail"].as_str() {
            Some(detail) => format!("{self}: {detail}"),
            None => self.to_string(),
        }
    }
}

impl Api {
    /// Trusts the system's certificates, those of `LUCI_CA_CERT`, and `LUCI_TLS_CERT`: the certificate of a gateway of this
    /// configuration.
    pub fn new(config: &Config, base_url: String, key: SecretString) -> anyhow::Result<Self> {
        let mut http = reqwest::Client::builder().connect_timeout(std::time::Duration::from_secs(10));
        let own = config.edge.tls.as_ref().map(|files| &files.certificate);
        for file in config.ca_cert.iter().chain(own) {
            let unusable = || format!("LUCI_CA_CERT: {} cannot be used", file.display());
            let pem = std::fs::read(file).with_context(unusable)?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem).with_context(unusable)?;
            http = roots.into_iter().fold(http, reqwest::ClientBuilder::add_root_certificate);
        }
        Ok(Self { http: http.build()?, base_url, key })
    }

    /// The gateway of `LUCI_URL` and `LUCI_API_KEY`; where one is not set, that of the instance in the data folder.
    pub fn find(config: &Config) -> anyhow::Result<Self> {
        let instance = || InstanceFile::read(&config.data_dir).ok().flatten();
        let url = config.url.clone().or_else(|| Some(instance()?.url));
        let credentials = || Credentials::first(&config.data_dir).ok().flatten();
        let key = config.api_key.clone().or_else(|| Some(credentials()?.api_key.into()));
        if url.is_none() && config.data_dir_is_flag() {
            return Err(no_instance(&config.data_dir));
        }
        let remedy = "set it to the gateway's URL, or choose a --data-dir where `luci up` runs";
        let base_url = url.ok_or(MissingSetting { name: "LUCI_URL", remedy })?;
        Self::new(
            config,
            base_url,
            key.ok_or(MissingSetting { name: "LUCI_API_KEY", remedy: "set it to an API key of the gateway" })?,
        )
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None, None).await
    }

    /// The response's text, for callers to whom the exact bytes matter.
    pub async fn get_text(&self, path: &str) -> anyhow::Result<String> {
        Ok(self.get_stream(path).await?.text().await?)
    }

    /// The response with its body unread, for large ones. Redirects are followed; another host does not get the key.
    pub async fn get_stream(&self, path: &str) -> anyhow::Result<Response> {
        self.send(Method::GET, path, None, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body), None).await
    }

    /// With an `Idempotency-Key`: a repetition returns the first response and changes nothing.
    pub async fn post_idempotent(&self, path: &str, body: &Value, key: &str) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body), Some(key)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
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
        idempotency_key: Option<&str>,
    ) -> anyhow::Result<Value> {
        let text = self.send(method, path, body, idempotency_key).await?.text().await?;
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        idempotency_key: Option<&str>,
    ) -> anyhow::Result<Response> {
        let mut request = self.http.request(method, format!("{}{path}", self.base_url));
        request = request.bearer_auth(self.key.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let response =
            request.send().await.with_context(|| format!("cannot reach the gateway at {}", self.base_url))?;
        checked(response).await
    }

    /// Sends a file to the signed URL of an upload; `on_bytes` is called with the size of each part that was sent.
    pub async fn upload(
        &self,
        url: &str,
        file: &Path,
        content_type: &str,
        on_bytes: impl Fn(u64) + Send + Sync + 'static,
    ) -> anyhow::Result<()> {
        let file_handle =
            tokio::fs::File::open(file).await.with_context(|| format!("cannot read {}", file.display()))?;
        let size = file_handle.metadata().await?.len();
        let bytes = ReaderStream::with_capacity(file_handle, PIECE);
        let bytes = bytes.inspect_ok(move |chunk| on_bytes(u64::try_from(chunk.len()).unwrap_or(u64::MAX)));
        self.put_signed(url, &[("content-type", content_type)], size, reqwest::Body::wrap_stream(bytes)).await
    }

    /// Sends a part to its signed URL; `on_bytes` is called with the size of each piece that was sent.
    pub async fn put_part(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        part: Bytes,
        on_bytes: impl Fn(u64) + Send + Sync + 'static,
    ) -> anyhow::Result<()> {
        let size = part.len() as u64;
        let pieces = (0..part.len()).step_by(PIECE).map(move |at| part.slice(at..part.len().min(at + PIECE)));
        let pieces = pieces.map(move |piece| {
            on_bytes(piece.len() as u64);
            Ok::<_, std::io::Error>(piece)
        });
        self.put_signed(url, headers, size, reqwest::Body::wrap_stream(futures::stream::iter(pieces))).await
    }

    async fn put_signed(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        size: u64,
        body: reqwest::Body,
    ) -> anyhow::Result<()> {
        // Without our key: the store is not the gateway, and the URL is signed.
        let request = self.http.put(url).header(header::CONTENT_LENGTH, size);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        // Without the URL: its signature is a secret.
        let sent = request.body(body).send().await.map_err(reqwest::Error::without_url);
        checked(sent.context("the upload to the store failed")?).await?;
        Ok(())
    }
}

/// A folder that was named, and is not an instance's.
pub fn no_instance(dir: &Path) -> anyhow::Error {
    let dir = dir.display();
    UsageError(format!("no instance was started in {dir}; `luci up --data-dir {dir}` starts one")).into()
}

async fn checked(response: Response) -> anyhow::Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = response.text().await.unwrap_or_default();
    let problem = serde_json::from_str(&text).unwrap_or(Value::Null);
    Err(ApiError { status: status.as_u16(), problem }.into())
}
