//! `luci storage`: compares stored objects with what was recorded of them: those of a run through the API, or all of them as
//! operator; and migrates objects of the older platform.

use clap::Subcommand;
use futures::{StreamExt, TryStreamExt, stream};
use luci_leads::store::sector_lists;
use luci_runs::stored_objects::{self, Checked};
use luci_schema::ObjectFault;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    Outcome,
    audit::seals::operator_store,
    client::{Api, ApiError},
    ids,
    legacy_migration::MigrateLegacy,
    out::{self, Format},
    projections::OperatorAccess,
};
use crate::config::Config;

/// Objects that are read at the same time.
const CONCURRENCY: usize = 4;
/// Lists of sectors read from their table at once.
const LISTS: i64 = 500;

#[derive(Debug, Subcommand)]
pub enum Storage {
    /// Read stored objects and compare size and SHA-256; exit code 1 when one is missing or differs
    Check {
        /// The run whose input and artifacts are read; without it, as operator, all imports, artifacts, lists of sectors and copies of seals
        #[arg(value_name = "RUN")]
        run: Option<String>,
        #[command(flatten)]
        format: Format,
    },
    /// Copy what the older platform left in the store below its tenant, as operator; nothing is moved or deleted
    MigrateLegacy(MigrateLegacy),
}

impl Storage {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        match self {
            Self::Check { run: Some(run), format } => {
                let api = Api::find(config)?;
                check(&api, &ids::run(&api, &run).await?, format).await
            }
            Self::Check { run: None, format } => check_everything(config, format).await,
            Self::MigrateLegacy(migrate) => migrate.run(config).await,
        }
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
    #[serde(default)]
    metadata: serde_json::Value,
}

impl Artifact {
    /// Size and SHA-256 of what is stored now: an erasure writes a version of its own.
    fn current(&self) -> (u64, &str) {
        let erased = &self.metadata["erased"];
        match (erased["sizeBytes"].as_u64(), erased["checksum"].as_str()) {
            (Some(size), Some(checksum)) => (size, checksum),
            _ => (self.size_bytes, &self.checksum),
        }
    }
}

/// An object that is missing or differs from what was recorded.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Mismatch {
    /// Absent for the run's input.
    artifact_id: Option<String>,
    object_path: String,
    found: String,
}

/// Every object that the log names, of all tenants.
async fn check_everything(config: &Config, format: Format) -> anyhow::Result<Outcome> {
    let access = OperatorAccess::open(config).await?;
    let storage = operator_store(config)?.with_versions(access.log.pool().clone());
    let mut checked = stored_objects::check_all(&access.log, &storage).await?;
    check_sector_lists(&access, &storage, &mut checked).await?;
    let (objects, bytes) = (checked.objects, checked.bytes);
    if !format.is_text() {
        format.document(
            &json!({"objects": objects, "bytes": bytes, "expired": checked.expired, "erased": checked.erased,
            "faults": checked.faults}),
        )?;
    } else {
        for line in checked.lines() {
            out::line(&line)?;
        }
        let removed = removed_of(checked.expired, checked.erased);
        out::line(&format!("{objects} objects, {bytes} bytes{removed}: {}", outcome_of(checked.faults.len())))?;
    }
    Ok(if checked.faults.is_empty() { Outcome::Done } else { Outcome::Failed })
}

/// The lists of sectors, which no event names.
async fn check_sector_lists(
    access: &OperatorAccess,
    storage: &luci_storage::Storage,
    checked: &mut Checked,
) -> anyhow::Result<()> {
    let mut after = String::new();
    loop {
        let mut c = access.log.pool().acquire().await?;
        let lists = sector_lists::after(&mut c, &after, LISTS).await?;
        drop(c);
        let Some((last, _)) = lists.last() else { return Ok(()) };
        after.clone_from(last);
        for (path, digest) in &lists {
            checked.object(storage, path, digest).await?;
        }
    }
}

/// Of the objects, those that are gone for a reason.
fn removed_of(expired: u64, erased: u64) -> String {
    let count = |count: u64, why: &str| if count == 0 { String::new() } else { format!(", {count} of them {why}") };
    count(expired, "removed by retention") + &count(erased, "erased")
}

fn outcome_of(faults: usize) -> String {
    match faults {
        0 => "all match".to_owned(),
        count => format!("{count} missing or different"),
    }
}

/// The file or leads that the run reads, if it reads an import.
async fn input_of(api: &Api, run: &str) -> anyhow::Result<Option<(u64, Option<Mismatch>)>> {
    let events = api.get(&format!("/api/pipelines/{run}/events?type=run:queued&limit=1")).await?;
    let input = &events["events"][0]["data"]["input"];
    let (Some(import), Some(path)) = (input["importId"].as_str(), input["objectPath"].as_str()) else {
        return Ok(None);
    };
    let found = match api.get(&format!("/api/imports/{import}?verify")).await {
        Ok(import) => return Ok(Some((import["sizeBytes"].as_u64().unwrap_or(0), None))),
        Err(error) => difference(error)?,
    };
    let size = input["sizeBytes"].as_u64().or_else(|| input["digest"]["sizeBytes"].as_u64()).unwrap_or(0);
    Ok(Some((size, Some(Mismatch { artifact_id: None, object_path: path.to_owned(), found }))))
}

/// What the gateway says of an object that is not what was recorded.
fn difference(error: anyhow::Error) -> anyhow::Result<String> {
    let Some(problem) = error.downcast_ref::<ApiError>() else { return Err(error) };
    if problem.status == 404 {
        return Ok("the object is missing".to_owned());
    }
    let fault = json!({"objectPath": problem.problem["object"], "expected": problem.problem["expected"],
        "found": problem.problem["found"]});
    match serde_json::from_value::<ObjectFault>(fault) {
        Ok(fault) if problem.status == 409 => Ok(fault.difference()),
        _ => Err(error),
    }
}

async fn check(api: &Api, run: &str, format: Format) -> anyhow::Result<Outcome> {
    let (mut objects, mut bytes, mut expired, mut mismatches) = (0_u64, 0, 0_u64, Vec::new());
    if let Some((size, mismatch)) = input_of(api, run).await? {
        objects += 1;
        bytes += size;
        mismatches.extend(mismatch);
    }
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
    if !format.is_text() {
        format.document(
            &json!({"runId": run, "objects": objects, "bytes": bytes, "expired": expired, "faults": mismatches}),
        )?;
    } else {
        for mismatch in &mismatches {
            out::line(&format!("{}: {}", mismatch.object_path, mismatch.found))?;
        }
        let outcome = outcome_of(mismatches.len());
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
            let (recorded_size, recorded_checksum) = artifact.current();
            if size != recorded_size {
                Some(format!("size is {size} bytes, recorded {recorded_size}"))
            } else if checksum != recorded_checksum {
                Some(format!("SHA-256 is {checksum}, recorded {recorded_checksum}"))
            } else {
                None
            }
        }
        Err(error) => Some(difference(error)?),
    };
    let (artifact_id, object_path) = (Some(artifact.artifact_id), artifact.object_path);
    Ok(found.map(|found| Mismatch { artifact_id, object_path, found }))
}
