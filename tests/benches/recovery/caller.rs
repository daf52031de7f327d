//! Starts runs and waits for their end, as a caller of the API sees it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use luci::cli::demo::sample;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::up::Access;

/// Leads of a run, in blocks of 50: a hundred and more blocks, so that every kill finds some at work.
const LEADS: u64 = 2_000;
/// A run that takes longer has not recovered.
const LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);

pub struct Caller {
    access: Access,
    client: Client,
}

/// Each run has another file.
static SEED: AtomicU64 = AtomicU64::new(1);

impl Caller {
    pub fn new(access: Access) -> anyhow::Result<Self> {
        Ok(Self { access, client: Client::builder().timeout(Duration::from_secs(30)).build()? })
    }

    /// A whole run; returns how long it took.
    pub async fn run(&self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let run = self.begin().await?;
        self.ended(&run).await?;
        Ok(began.elapsed())
    }

    /// Uploads a file and starts a run that reads, validates and scores it; returns its id.
    pub async fn begin(&self) -> anyhow::Result<String> {
        let mut csv = Vec::new();
        sample::csv(&mut csv, LEADS, 1, SEED.fetch_add(1, Ordering::Relaxed))?;
        let upload = self.client.post(format!("{}/api/imports?fileName=leads.csv", self.access.url)).body(csv);
        let import = answer(self.signed(upload).header("content-type", "text/csv")).await?;
        let stage = |name: &str| json!({"name": name, "stage": name, "config": {}});
        let stages = json!([stage("import"), stage("validate"), stage("score")]);
        let made = self.client.post(format!("{}/api/blueprints", self.access.url));
        let made = answer(self.signed(made).json(&json!({"name": import["importId"], "stages": stages}))).await?;
        let options = json!({"blockSize": 50, "maxLeads": LEADS});
        let body = json!({"importId": import["importId"], "blueprintId": made["blueprintId"], "options": options});
        let started = self.client.post(format!("{}/api/pipelines", self.access.url));
        let started = answer(self.signed(started).json(&body)).await?;
        started["runId"].as_str().map(str::to_owned).with_context(|| format!("no run: {started}"))
    }

    /// Waits for the run's end. While nobody answers it asks again.
    pub async fn ended(&self, run: &str) -> anyhow::Result<()> {
        let until = Instant::now() + LIMIT;
        loop {
            let request = self.client.get(format!("{}/api/pipelines/{run}", self.access.url));
            let status = answer(self.signed(request)).await.map(|detail| detail["run"]["status"].clone());
            match status.as_ref().ok().and_then(Value::as_str) {
                Some("completed") => return Ok(()),
                Some("queued" | "running") | None => {}
                Some(other) => anyhow::bail!("the run is {other}"),
            }
            ensure!(Instant::now() < until, "the run has not ended: {status:?}");
            tokio::time::sleep(POLL).await;
        }
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(&self.access.key)
    }
}

async fn answer(request: RequestBuilder) -> anyhow::Result<Value> {
    let response = request.send().await?;
    let (status, body) = (response.status(), response.text().await?);
    ensure!(status.is_success(), "{status}: {body}");
    Ok(serde_json::from_str(&body)?)
}
