//! Creates the leads of an API call: ingests them like the rows of a file, and stores them as an import that runs can read.

use std::collections::HashMap;

use luci_config::{
    AdminError, By,
    change::{Change, record},
    vault::Vault,
};
use luci_schema::{
    ConfigEvent, ImportId, LeadId, Micros, Position, TenantId,
    event::{ImportCompleted, LeadsCreated, OnExisting},
    log::{Log, NewReceipt},
    object_key::{Day, FileName, ObjectKey, ObjectLocation},
};
use luci_storage::Storage;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use crate::{
    Lead,
    ingest::{self, IngestContext, RowResult},
    lead::{Warning, rejection::RejectionReason},
    store::imports::{self, NewImport},
};

/// The content type of such an import: one lead a line.
pub const CONTENT_TYPE: &str = "application/x-ndjson";
const FILE: &str = "leads.ndjson";

/// Normalised and validated leads; their ids derive from the import, their rows count from 1.
#[derive(Debug)]
pub struct NewLeads {
    pub import_id: ImportId,
    /// Where they are stored. The caller deletes the object when its transaction does not commit.
    pub key: ObjectKey,
    pub leads: Vec<Lead>,
    pub on_existing: OnExisting,
}

/// The outcome of one lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadOutcome {
    Created,
    /// It is a lead of another input; its data filled the empty fields of that lead.
    Existing,
    /// An earlier lead of the same call has one of its keys.
    Duplicate,
    /// It is a lead of another input, and the call skips those.
    LeftOut,
}

/// The result of one lead, as the API responds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeadResult {
    /// From 0, as in the request.
    pub index: u64,
    /// The lead that was created, or to which it belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_id: Option<LeadId>,
    pub status: LeadOutcome,
    /// Index of the lead that it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// The result of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatedLeads {
    pub import_id: ImportId,
    pub created: u64,
    pub existing: u64,
    pub duplicates: u64,
    pub left_out: u64,
    pub leads: Vec<LeadResult>,
}

/// Ingests all leads in the caller's transaction.
pub async fn create(
    c: &mut PgConnection,
    tenant: TenantId,
    (log, storage, vault): (&Log, &Storage, &Vault),
    new: NewLeads,
    by: &By,
    receipt: impl FnOnce(&CreatedLeads) -> Option<NewReceipt>,
) -> Result<(CreatedLeads, Position), AdminError> {
    let NewLeads { import_id, key, leads, on_existing } = new;
    let (received, root) = (leads.clone(), import_id.to_string());
    let context = IngestContext { tenant, root_input_id: &root, on_existing, corrected: None };
    let mut rows = ingest::ingest(c, &context, leads.into_iter().map(Ok).collect()).await?;
    ingest::warn_suppressed(c, tenant, vault, &mut rows).await?;
    let created = results(import_id, &rows);
    // Stored as received: a run that reads them reaches the same outcomes.
    let accepted = received.iter().zip(&rows).filter(|(_, row)| row.is_ok()).map(|(lead, _)| lead);
    let events = store_import(c, tenant, (storage, &key), (&created, accepted), by).await?;
    let change = Change::first(import_id, events.map(Into::into).into()).with_receipt(receipt(&created));
    let position = record(log, c, tenant, change, by).await?;
    Ok((created, position))
}

/// The object key of such an import.
pub fn key(tenant: TenantId, import_id: ImportId, at: Micros) -> ObjectKey {
    ObjectKey::new(tenant, ObjectLocation::Import { day: Day::of(at), import_id, file: FileName::sanitise(FILE) })
}

fn results(import_id: ImportId, rows: &[RowResult]) -> CreatedLeads {
    let ids: HashMap<u64, LeadId> = rows.iter().flatten().map(|lead| (lead.row, lead.lead_id)).collect();
    let one = |(index, row): (usize, &RowResult)| {
        let index = index as u64;
        let (lead_id, status, duplicate_of, warnings) = match row {
            Ok(lead) if lead.warnings.contains(&Warning::DuplicateExisting) => {
                (Some(lead.lead_id), LeadOutcome::Existing, None, lead.warnings.clone())
            }
            Ok(lead) => (Some(lead.lead_id), LeadOutcome::Created, None, lead.warnings.clone()),
            Err(rejected) if rejected.1.reason == RejectionReason::DuplicateExisting => {
                (None, LeadOutcome::LeftOut, None, Vec::new())
            }
            Err(rejected) => {
                let first = rejected.1.duplicate_of;
                let id = first.and_then(|row| ids.get(&row).copied());
                (id, LeadOutcome::Duplicate, first.map(|row| row.saturating_sub(1)), Vec::new())
            }
        };
        LeadResult { index, lead_id, status, duplicate_of, warnings }
    };
    let leads: Vec<LeadResult> = rows.iter().enumerate().map(one).collect();
    let count = |outcome| leads.iter().filter(|lead| lead.status == outcome).count() as u64;
    CreatedLeads {
        import_id,
        created: count(LeadOutcome::Created),
        existing: count(LeadOutcome::Existing),
        duplicates: count(LeadOutcome::Duplicate),
        left_out: count(LeadOutcome::LeftOut),
        leads,
    }
}

/// Writes the object and the row of the import; returns the events to append.
async fn store_import<'a>(
    c: &mut PgConnection,
    tenant: TenantId,
    (storage, key): (&Storage, &ObjectKey),
    (created, accepted): (&CreatedLeads, impl Iterator<Item = &'a Lead>),
    by: &By,
) -> Result<[ConfigEvent; 2], AdminError> {
    let (import_id, now) = (created.import_id, Micros::now());
    let mut text = Vec::new();
    for lead in accepted {
        serde_json::to_writer(&mut text, lead).map_err(|error| AdminError::Storage(error.into()))?;
        text.push(b'\n');
    }
    let (size_bytes, checksum) = (text.len() as u64, hex::encode(Sha256::digest(&text)));
    storage.put(key, text.into(), CONTENT_TYPE).await?;
    let (object_path, rows) = (key.to_string(), created.created + created.existing);
    let new = NewImport {
        id: import_id,
        file_name: FILE.into(),
        object_path: object_path.clone(),
        staged: false,
        content_type: CONTENT_TYPE.into(),
        size_bytes: Some(size_bytes),
        checksum: Some(checksum.clone()),
        created_by: by.actor.to_string(),
        created_at: now,
    };
    imports::begin(c, tenant, &new).await?;
    imports::complete_counted(c, tenant, import_id, rows, now).await?;
    let completed = ImportCompleted { import_id, object_path: object_path.clone(), size_bytes, checksum, rows };
    let leads = LeadsCreated {
        import_id,
        object_path,
        leads: rows,
        created: created.created,
        existing: created.existing,
        duplicates: created.duplicates,
        left_out: created.left_out,
    };
    Ok([ConfigEvent::ImportCompleted(Box::new(completed)), ConfigEvent::LeadsCreated(Box::new(leads))])
}
