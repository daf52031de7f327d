//! Uploads a large file in parts, and continues where an earlier attempt ended: the gateway knows which parts have arrived.

use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::client::{Api, ApiError};
use crate::process::telemetry;

/// Larger files are sent in parts; a smaller one is one part anyway.
pub const MORE_THAN: u64 = 8 << 20;
/// Parts sent at once.
const AT_ONCE: usize = 3;
/// Parts that were lost after they had arrived are sent again so many times.
const MOST_ROUNDS: u32 = 3;
/// Before each further attempt.
const PAUSES_MS: [u64; 7] = [500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];

/// An upload as the gateway answers it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    import_id: String,
    part_bytes: u64,
    part_count: u32,
    parts: Vec<Arrived>,
}

#[derive(Debug, Deserialize)]
struct Arrived {
    number: u32,
    checksum: String,
}

/// A file on its way.
struct Sending<'a> {
    api: &'a Api,
    file: PathBuf,
    import: String,
    part_bytes: u64,
    part_count: u32,
    /// Checksums of the parts that have arrived, by number.
    arrived: HashMap<u32, String>,
    bar: ProgressBar,
}

/// Sends what the gateway lacks of the file, and completes the upload. Returns the completed import.
pub async fn upload(
    api: &Api,
    (file, name, size): (&Path, &str, u64),
    layout: &Value,
    bar: &ProgressBar,
) -> anyhow::Result<Value> {
    let checksum = checksum_of(file.to_owned()).await?;
    let (import, known) = match find(api, name, size, &checksum).await? {
        Some(import) => (import, true),
        None => (announce(api, name, size, &checksum).await?, false),
    };
    let mut rounds = 0;
    loop {
        let sending = Sending::new(api, file, &import, bar).await?;
        if known || rounds > 0 {
            let (arrived, count) = (sending.arrived.len(), sending.part_count);
            notice(bar, &format!("continuing the upload {import}: {arrived} of {count} parts have arrived"));
        }
        sending.send_all().await.context("the upload stopped; the same command continues it")?;
        match retried(bar, "complete", async || complete(api, &import, layout).await).await {
            // A part was lost after it had arrived.
            Err(error) if rounds < MOST_ROUNDS && is_missing_parts(&error) => rounds += 1,
            completed => return completed,
        }
    }
}

async fn complete(api: &Api, import: &str, layout: &Value) -> anyhow::Result<Value> {
    api.post(&format!("/api/uploads/{import}/complete"), layout).await
}

/// SHA-256 of a whole file.
async fn checksum_of(file: PathBuf) -> anyhow::Result<String> {
    let unreadable = format!("cannot read {}", file.display());
    let hashed = tokio::task::spawn_blocking(move || -> std::io::Result<String> {
        let (mut file, mut hash, mut buffer) = (File::open(file)?, Sha256::new(), vec![0; 1 << 20]);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hex::encode(hash.finalize())),
                read => hash.update(&buffer[..read]),
            }
        }
    });
    hashed.await?.context(unreadable)
}

/// The upload of this file that was not completed, if there is one.
async fn find(api: &Api, name: &str, size: u64, checksum: &str) -> anyhow::Result<Option<String>> {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("fileName", name)
        .append_pair("sizeBytes", &size.to_string())
        .append_pair("checksum", checksum)
        .finish();
    let open = api.get(&format!("/api/uploads?{query}")).await?;
    Ok(open["uploads"][0]["importId"].as_str().map(str::to_owned))
}

async fn announce(api: &Api, name: &str, size: u64, checksum: &str) -> anyhow::Result<String> {
    let body = json!({"fileName": name, "sizeBytes": size, "contentType": "text/csv", "checksum": checksum});
    let upload = api.post("/api/uploads/multipart", &body).await?;
    upload["importId"].as_str().map(str::to_owned).context("the gateway's response lacks `importId`")
}

impl<'a> Sending<'a> {
    async fn new(api: &'a Api, file: &Path, import: &str, bar: &ProgressBar) -> anyhow::Result<Self> {
        let status = api.get(&format!("/api/uploads/{import}")).await?;
        let status: Status = serde_json::from_value(status).context("the gateway's response is not an upload")?;
        bar.set_position(0);
        Ok(Self {
            api,
            file: file.to_owned(),
            import: status.import_id,
            part_bytes: status.part_bytes,
            part_count: status.part_count,
            arrived: status.parts.into_iter().map(|part| (part.number, part.checksum)).collect(),
            bar: bar.clone(),
        })
    }

    async fn send_all(&self) -> anyhow::Result<()> {
        let parts = stream::iter(1..=self.part_count).map(|number| self.send_part(number));
        parts.buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn send_part(&self, number: u32) -> anyhow::Result<()> {
        let part = self.read(number).await?;
        let checksum = hex::encode(Sha256::digest(&part));
        if self.arrived.get(&number) == Some(&checksum) {
            self.bar.inc(part.len() as u64);
            return Ok(());
        }
        retried(&self.bar, &format!("part {number}"), async || self.put(number, &checksum, part.clone()).await).await
    }

    async fn read(&self, number: u32) -> anyhow::Result<Bytes> {
        let (file, part_bytes) = (self.file.clone(), self.part_bytes);
        let unreadable = format!("cannot read {}", file.display());
        let read = tokio::task::spawn_blocking(move || -> std::io::Result<Bytes> {
            let (mut file, mut part) = (File::open(file)?, Vec::new());
            file.seek(SeekFrom::Start(u64::from(number.saturating_sub(1)) * part_bytes))?;
            file.take(part_bytes).read_to_end(&mut part)?;
            Ok(part.into())
        });
        read.await?.context(unreadable)
    }

    /// Each attempt has a URL of its own: the earlier one may have expired.
    async fn put(&self, number: u32, checksum: &str, part: Bytes) -> anyhow::Result<()> {
        let body = json!({"parts": [{"number": number, "checksum": checksum}]});
        let signed = self.api.post(&format!("/api/uploads/{}/parts", self.import), &body).await?;
        let signed = &signed["parts"][0];
        let url = signed["url"].as_str().context("the gateway's response lacks `url`")?;
        let headers = signed["headers"].as_object().into_iter().flatten();
        let headers: Vec<(&str, &str)> =
            headers.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
        let sent = Arc::new(AtomicU64::new(0));
        let (bar, counter) = (self.bar.clone(), Arc::clone(&sent));
        let on_bytes = move |bytes| {
            counter.fetch_add(bytes, Ordering::Relaxed);
            bar.inc(bytes);
        };
        let put = self.api.put_part(url, &headers, part, on_bytes).await;
        if put.is_err() {
            self.bar.dec(sent.load(Ordering::Relaxed));
        }
        put
    }
}

/// Repeats what may succeed the next time, with growing pauses.
async fn retried<T>(bar: &ProgressBar, what: &str, attempt: impl AsyncFn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    for pause in PAUSES_MS.map(Duration::from_millis) {
        match attempt().await {
            Err(error) if is_passing(&error) => {
                notice(bar, &format!("{what}: {error:#}; again in {:.1} s", pause.as_secs_f64()));
                tokio::time::sleep(pause).await;
            }
            done => return done,
        }
    }
    attempt().await
}

/// No answer, an overloaded or restarting server, a body that was cut off on its way.
fn is_passing(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<ApiError>() {
        // A bucket answers 400 to a body that was cut off, without a problem document.
        Some(error) if error.status == 400 => matches!(error.kind(), None | Some("checksum-differs")),
        Some(error) => matches!(error.status, 408 | 429 | 500..),
        None => error.downcast_ref::<reqwest::Error>().is_some(),
    }
}

fn is_missing_parts(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ApiError>().is_some_and(|error| error.kind() == Some("parts-missing"))
}

fn notice(bar: &ProgressBar, line: &str) {
    bar.suspend(|| telemetry::notice(line));
}
