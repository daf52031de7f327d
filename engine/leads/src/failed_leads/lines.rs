//! Streams the lines of failed leads from a source.

use std::collections::HashSet;

use futures::{
    StreamExt, TryStreamExt, future,
    stream::{self, BoxStream},
};
use luci_schema::{
    ImportId,
    event::{Artifact, BlockInput, Cursor},
};
use luci_storage::{Storage, StorageError};
use serde::Deserialize;

use crate::{
    Lead,
    failed_leads::{FailedLeadSource, UnaccountedLeads},
    lead::line::{self, FailedLine, FailureDetail},
    lead_id,
};

pub type Lines = BoxStream<'static, Result<FailedLine, StorageError>>;

/// The reason of leads that a block wrote to no artifact before it failed.
const BLOCK_FAILED: &str = "block_failed";

/// The failed leads of one source.
pub fn lines(storage: &Storage, source: &FailedLeadSource) -> Lines {
    match source {
        FailedLeadSource::Artifact(artifact) => {
            let lines = storage.verified_lines(&artifact.object_path, &artifact.digest());
            lines.map(|text| Ok(serde_json::from_slice(&text?)?)).boxed()
        }
        FailedLeadSource::Unaccounted(leads) => {
            let (storage, leads) = (storage.clone(), UnaccountedLeads::clone(leads));
            stream::once(async move { unaccounted(&storage, leads).await }).try_flatten().boxed()
        }
    }
}

/// Row and line of a lead. They identify it within a block; its id changes when the row is attached to an existing lead.
type RowPosition = (u64, u64);

async fn unaccounted(storage: &Storage, unaccounted: UnaccountedLeads) -> Result<Lines, StorageError> {
    let mut seen: HashSet<RowPosition> = HashSet::new();
    for artifact in &unaccounted.accounted {
        seen.extend(positions(storage, artifact).await?);
    }
    let failure = unaccounted.failure;
    let failed = move |lead: Lead| {
        let detail = FailureDetail { provider_message: Some(failure.message.clone()), ..FailureDetail::default() };
        FailedLine { detail: Some(detail), ..FailedLine::new(lead, failure.code, BLOCK_FAILED) }
    };
    Ok(match &unaccounted.input {
        BlockInput::Artifact { object_path, digest, .. } => {
            let lines = match digest {
                Some(digest) => storage.verified_lines(object_path, digest),
                // Recorded by an older release.
                None => storage.read_lines(object_path),
            };
            let leads = lines.map(|text| Ok(line::read(&text?)?));
            let rest = leads.try_filter(move |lead: &Lead| future::ready(!seen.contains(&(lead.row, lead.line))));
            rest.map_ok(failed).boxed()
        }
        BlockInput::Source { cursor } => {
            let unread = unread(unaccounted.import, cursor, unaccounted.leads);
            stream::iter(unread).map(move |lead| Ok(failed(lead))).boxed()
        }
    })
}

async fn positions(storage: &Storage, artifact: &Artifact) -> Result<Vec<RowPosition>, StorageError> {
    #[derive(Deserialize)]
    struct LeadPosition {
        row: u64,
        #[serde(default)]
        line: u64,
    }
    let lines = storage.verified_lines(&artifact.object_path, &artifact.digest());
    lines
        .map(|text| {
            let LeadPosition { row, line } = serde_json::from_slice(&text?)?;
            Ok((row, line))
        })
        .try_collect()
        .await
}

/// Rows of a file that the block did not read: only their numbers are known.
fn unread(import: Option<ImportId>, cursor: &Cursor, leads: u64) -> Vec<Lead> {
    let Some(import) = import.map(|id| id.to_string()) else { return Vec::new() };
    (cursor.rows + 1..=cursor.rows + leads).map(|row| Lead::bare(lead_id(&import, row), row, 0)).collect()
}
