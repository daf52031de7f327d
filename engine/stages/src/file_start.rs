//! No file is started twice by mistake: the first run holds it, until a caller allows the repetition.

use std::time::Duration;

use luci_leads::store::{import_starts, imports};
use luci_schema::{CommandId, Micros, RunId, TenantId, log::Log};
use sqlx::PgConnection;

use crate::start::{LeadSource, StartError};

/// How long a run may take from its reservation until it is queued.
const QUEUEING: Duration = Duration::from_secs(30);

/// Whether a file that was started before may be started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    Refused,
    Allowed,
}

/// A file that is held for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldFile {
    file: String,
    run: RunId,
}

/// Holds the file of the source for the run that the command starts. None: the source is not a file. The run is queued next, or `release` is called.
///
/// # Errors
/// `AlreadyImported`: another run was started on the same file, or is being started now.
pub async fn hold(
    log: &Log,
    tenant: TenantId,
    source: &LeadSource,
    (run, command): (RunId, &CommandId),
    repeat: Repeat,
) -> Result<Option<HeldFile>, StartError> {
    let mut c = log.pool().acquire().await?;
    let Some(file) = file_of(&mut c, tenant, source).await? else { return Ok(None) };
    let held_by = import_starts::reserve(&mut c, tenant, &file, (run, command)).await?;
    // The log takes a connection of its own.
    drop(c);
    let Some(first) = held_by else { return Ok(Some(HeldFile { file, run })) };
    if repeat == Repeat::Refused {
        let queued = log.stream_head(tenant, first.run.into()).await?.is_some();
        let age = Micros::now().0.saturating_sub(first.started_at.0);
        // A run that never came to be holds nothing.
        if queued || age < i64::try_from(QUEUEING.as_micros()).unwrap_or(i64::MAX) {
            return Err(StartError::AlreadyImported { run: first.run });
        }
    }
    let mut c = log.pool().acquire().await?;
    if !import_starts::take_over(&mut c, tenant, &file, first.run, (run, command)).await? && repeat == Repeat::Refused {
        return Err(StartError::AlreadyImported { run: first.run });
    }
    Ok(Some(HeldFile { file, run }))
}

/// Frees the file of a run that was not queued.
pub async fn release(c: &mut PgConnection, tenant: TenantId, held: &HeldFile) -> Result<(), sqlx::Error> {
    import_starts::release(c, tenant, &held.file, held.run).await
}

/// The checksum of the import's file, or its id where it has none.
async fn file_of(c: &mut PgConnection, tenant: TenantId, source: &LeadSource) -> Result<Option<String>, sqlx::Error> {
    let LeadSource::Import { import, .. } = source else { return Ok(None) };
    let checksum = imports::get(c, tenant, *import).await?.and_then(|import| import.checksum);
    Ok(Some(checksum.unwrap_or_else(|| import.to_string())))
}
