//! Leads that an API call brings: they enter the book as the rows of a file do, and stand as an import that runs can read.

use std::collections::HashMap;

use luci_schema::{
    ConfigEvent, ImportId, LeadId, Micros, Position, TenantId,
    event::{ImportCompleted, LeadsCreated, OnExisting},
    log::{Log, NewReceipt},
    object_key::{Day, FileName, ObjectKey, Place},
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::{
    AdminError, By,
    change::{Change, record},
};
use crate::{
    book::imports::{self, NewImport},
    enter::{self, Entering, Judged},
    lead::{Lead, judge::Reason, record::Warning},
    storage::Storage,
};

/// What such an import is stored as: a lead a line.
pub const CONTENT_TYPE: &str = "application/x-ndjson";
const FILE: &str = "leads.ndjson";

/// Leads that are tidy and judged; their ids derive from the import, their rows count from 1.
#[derive(Debug)]
pub struct NewLeads {
    pub import_id: ImportId,
    /// Where they are stored; deleted by the caller when its transaction does not commit.
    pub key: ObjectKey,
    pub leads: Vec<Lead>,
    pub on_existing: OnExisting,
}

/// What became of one lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Created,
    /// It is another input's lead, whose blanks it has filled.
    Existing,
    /// A lead before it in the same call has one of its keys.
    Duplicate,
    /// It is another input's lead, and the call leaves those out.
    LeftOut,
}

/// The same as the caller hears it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// From 0, as in the call.
    pub index: u64,
    /// The lead that it is or belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_id: Option<LeadId>,
    pub status: Fate,
    /// Index of the one that it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// What became of all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    pub import_id: ImportId,
    pub created: u64,
    pub existing: u64,
    pub duplicates: u64,
    pub left_out: u64,
    pub leads: Vec<Told>,
}

/// Enters them all inside the caller's transaction.
pub async fn create(
    c: &mut PgConnection,
    tenant: TenantId,
    (log, storage): (&Log, &Storage),
    new: NewLeads,
    by: &By,
    receipt: impl FnOnce(&Created) -> Option<NewReceipt>,
) -> Result<(Created, Position), AdminError> {
    let NewLeads { import_id, key, leads, on_existing } = new;
    let (given, root) = (leads.clone(), import_id.to_string());
    let entering = Entering { tenant, root_input_id: &root, on_existing, mended: None };
    let mut rows = enter::claim(c, &entering, leads.into_iter().map(Ok).collect()).await?;
    enter::suppress(c, tenant, &mut rows).await?;
    let created = told(import_id, &rows);
    // As they came: a run that reads them decides on each as was decided here.
    let taken = given.iter().zip(&rows).filter(|(_, row)| row.is_ok()).map(|(lead, _)| lead);
    let events = stored(c, tenant, (storage, &key), (&created, taken), by).await?;
    let change = Change::first(import_id, events.map(Into::into).into()).remembered(receipt(&created));
    let position = record(log, c, tenant, change, by).await?;
    Ok((created, position))
}

/// Where the leads of such an import lie.
pub fn key(tenant: TenantId, import_id: ImportId, at: Micros) -> ObjectKey {
    ObjectKey::new(tenant, Place::Import { day: Day::of(at), import_id, file: FileName::sanitise(FILE) })
}

fn told(import_id: ImportId, rows: &[Judged]) -> Created {
    let ids: HashMap<u64, LeadId> = rows.iter().flatten().map(|lead| (lead.row, lead.lead_id)).collect();
    let one = |(index, row): (usize, &Judged)| {
        let index = index as u64;
        let (lead_id, status, duplicate_of, warnings) = match row {
            Ok(lead) if lead.warnings.contains(&Warning::DuplicateExisting) => {
                (Some(lead.lead_id), Fate::Existing, None, lead.warnings.clone())
            }
            Ok(lead) => (Some(lead.lead_id), Fate::Created, None, lead.warnings.clone()),
            Err(refused) if refused.1.reason == Reason::DuplicateExisting => (None, Fate::LeftOut, None, Vec::new()),
            Err(refused) => {
                let first = refused.1.duplicate_of;
                let id = first.and_then(|row| ids.get(&row).copied());
                (id, Fate::Duplicate, first.map(|row| row.saturating_sub(1)), Vec::new())
            }
        };
        Told { index, lead_id, status, duplicate_of, warnings }
    };
    let leads: Vec<Told> = rows.iter().enumerate().map(one).collect();
    let count = |fate| leads.iter().filter(|told| told.status == fate).count() as u64;
    Created {
        import_id,
        created: count(Fate::Created),
        existing: count(Fate::Existing),
        duplicates: count(Fate::Duplicate),
        left_out: count(Fate::LeftOut),
        leads,
    }
}

/// Writes the object and the import's row; answers what there is to append.
async fn stored<'a>(
    c: &mut PgConnection,
    tenant: TenantId,
    (storage, key): (&Storage, &ObjectKey),
    (created, taken): (&Created, impl Iterator<Item = &'a Lead>),
    by: &By,
) -> Result<[ConfigEvent; 2], AdminError> {
    let (import_id, now) = (created.import_id, Micros::now());
    let mut text = Vec::new();
    for lead in taken {
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
        content_type: CONTENT_TYPE.into(),
        size_bytes: Some(size_bytes),
        checksum: Some(checksum.clone()),
        created_by: by.actor.to_string(),
        created_at: now,
    };
    imports::begin(c, tenant, &new).await?;
    imports::counted(c, tenant, import_id, rows, now).await?;
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
