//! `luci storage`: compares a run's stored objects with what was recorded of them.

use clap::Subcommand;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    Outcome,
    client::{Api, ApiError},
    out,
};
use crate::config::Config;

/// Objects that are read at the same time.
const CONCURRENCY: usize = 4;

#[derive(Debug, Subcommand)]
pub enum Storage {
    /// Read every object of a run and compare size and SHA-256; exit code 1 when one is missing or differs
    Check {
        #[arg(value_name = "RUN")]
        run: String,
        #[arg(long)]
        json: bool,
    },
}

impl Storage {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let Self::Check { run, json } = self;
        check(&Api::find(config)?, &run, json).await
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    artifacts: Vec<Artifact>,
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    artifact_id: String,
    object_path: String,
    size_bytes: u64,
    checksum: String,
    expired_at: Option<String>,
}

/// An object that is missing or differs from what was recorded.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Mismatch {
    artifact_id: String,
    object_path: String,
    found: String,
}

async fn check(api: &Api, run: &str, json: bool) -> anyhow::Result<Outcome> {
    let (mut objects, mut bytes, mut expired, mut mismatches) = (0_u64, 0, 0_u64, Vec::new());
    let mut cursor = Some(String::new());
    while let Some(at) = cursor {
        let page = api.get(&format!("/api/pipelines/{run}/artifacts?limit=100{at}")).await?;
        let page: Page = serde_json::from_value(page)?;
        let (kept, removed): (Vec<_>, Vec<_>) = page.artifacts.into_iter().partition(|a| a.expired_at.is_none());
        expired += removed.len() as u64;
        objects += kept.len() as u64;
        bytes += kept.iter().map(|artifact| artifact.size_bytes).sum::<u64>();
        let checks = stream::iter(kept).map(|artifact| check_object(api, run, artifact)).buffered(CONCURRENCY);
        mismatches.extend(checks.try_collect::<Vec<_>>().await?.into_iter().flatten());
        cursor = page.next_cursor.map(|next| format!("&cursor={next}"));
    }
    if json {
        out::json(
            &json!({"runId": run, "objects": objects, "bytes": bytes, "expired": expired, "faults": mismatches}),
        )?;
    } else {
        for mismatch in &mismatches {
            out::line(&format!("{}: {}", mismatch.object_path, mismatch.found))?;
        }
        let outcome = match mismatches.len() {
            0 => "all match".to_owned(),
            count => format!("{count} missing or different"),
        };
        let removed = if expired == 0 { String::new() } else { format!(", {expired} more removed by retention") };
        out::line(&format!("{objects} objects, {bytes} bytes{removed}: {outcome}"))?;
    }
    Ok(if mismatches.is_empty() { Outcome::Done } else { Outcome::Failed })
}

async fn check_object(api: &Api, run: &str, artifact: Artifact) -> anyhow::Result<Option<Mismatch>> {
    let found = match api.get_stream(&format!("/api/pipelines/{run}/artifacts/{}", artifact.artifact_id)).await {
        Ok(object) => {
            let (mut hash, mut size) = (Sha256::new(), 0);
            let mut body = object.bytes_stream();
            while let Some(bytes) = body.try_next().await? {
                hash.update(&bytes);
                size += bytes.len() as u64;
            }
            let checksum = hex::encode(hash.finalize());
            if size != artifact.size_bytes {
                Some(format!("size is {size} bytes, recorded {}", artifact.size_bytes))
            } else if checksum != artifact.checksum {
                Some(format!("SHA-256 is {checksum}, recorded {}", artifact.checksum))
            } else {
                None
            }
        }
        Err(error) if error.downcast_ref::<ApiError>().is_some_and(|error| error.status == 404) => {
            Some("the object is missing".to_owned())
        }
        Err(error) => return Err(error),
    };
    let (artifact_id, object_path) = (artifact.artifact_id, artifact.object_path);
    Ok(found.map(|found| Mismatch { artifact_id, object_path, found }))
}
