//! The lines of failed leads, one source after another, read as they are asked for.

use std::collections::HashSet;

use futures::{
    StreamExt, TryStreamExt, future,
    stream::{self, BoxStream},
};
use luci_schema::{
    ImportId,
    event::{Artifact, BlockInput, Cursor},
};
use serde::Deserialize;

use super::{Rest, Source};
use crate::{
    lead::{
        Lead, lead_id,
        line::{self, Detail, FailedLine},
    },
    storage::{Storage, StorageError},
};

pub type Lines = BoxStream<'static, Result<FailedLine, StorageError>>;

/// The word that leads are counted by which a block took with it when it broke.
const BLOCK_FAILED: &str = "block_failed";

/// The failed leads of one source.
pub fn lines(storage: &Storage, source: &Source) -> Lines {
    match source {
        Source::Lines(artifact) => {
            let lines = storage.read_lines(&artifact.object_path);
            lines.map(|text| Ok(serde_json::from_slice(&text?)?)).boxed()
        }
        Source::Rest(rest) => {
            let (storage, rest) = (storage.clone(), Rest::clone(rest));
            stream::once(async move { unaccounted(&storage, rest).await }).try_flatten().boxed()
        }
    }
}

/// A lead by its place: ids change where a row is attached to a lead that is known.
type At = (u64, u64);

async fn unaccounted(storage: &Storage, rest: Rest) -> Result<Lines, StorageError> {
    let mut seen: HashSet<At> = HashSet::new();
    for artifact in &rest.accounted {
        seen.extend(places(storage, artifact).await?);
    }
    let failure = rest.failure;
    let failed = move |lead: Lead| {
        let detail = Detail { said: Some(failure.message.clone()), ..Detail::default() };
        FailedLine { detail: Some(detail), ..FailedLine::new(lead, failure.code, BLOCK_FAILED) }
    };
    Ok(match &rest.input {
        BlockInput::Artifact { object_path, .. } => {
            let leads = storage.read_lines(object_path).map(|text| Ok(line::read(&text?)?));
            let left = leads.try_filter(move |lead: &Lead| future::ready(!seen.contains(&(lead.row, lead.line))));
            left.map_ok(failed).boxed()
        }
        BlockInput::Source { cursor } => {
            let unread = unread(rest.import, cursor, rest.leads);
            stream::iter(unread).map(move |lead| Ok(failed(lead))).boxed()
        }
    })
}

async fn places(storage: &Storage, artifact: &Artifact) -> Result<Vec<At>, StorageError> {
    #[derive(Deserialize)]
    struct Place {
        row: u64,
        #[serde(default)]
        line: u64,
    }
    let lines = storage.read_lines(&artifact.object_path);
    lines
        .map(|text| {
            let Place { row, line } = serde_json::from_slice(&text?)?;
            Ok((row, line))
        })
        .try_collect()
        .await
}

/// Rows of a file that nobody could read: their numbers are all that is known.
fn unread(import: Option<ImportId>, cursor: &Cursor, leads: u64) -> Vec<Lead> {
    let Some(import) = import.map(|id| id.to_string()) else { return Vec::new() };
    (cursor.rows + 1..=cursor.rows + leads).map(|row| Lead::bare(lead_id(&import, row), row, 0)).collect()
}
