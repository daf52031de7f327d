//! Creates and changes buckets of properties: a sector, its bucket, and a lead for each property id. Each change is one transaction.

use luci_config::{
    AdminError, By,
    change::{Change, record},
};
use luci_schema::{
    CommandId, ConfigEvent, ImportId, LeadId, Micros, Position, SectorId, TenantId,
    event::ImportCompleted,
    log::{Log, NewReceipt},
    object_key::{Day, FileName, ObjectKey, ObjectLocation},
};
use luci_storage::Storage;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use ulid::Ulid;

use crate::{
    Lead,
    commands::{
        new_leads,
        sectors::{self, NewSector, SectorChanges},
    },
    lead::assignment::{AssignmentRule, SectorAssignment},
    store::{
        imports::{self, NewImport},
        leads,
        property_buckets::{self, PropertyBucket},
        sectors::Sector,
    },
};

/// The column of a lead's `extra` that has the property id.
pub const PROPERTY_ID: &str = "Property Id";
const FILE: &str = "properties.ndjson";
/// Leads that are written at once.
const BATCH: usize = 1_000;

/// A bucket to create.
#[derive(Debug, Clone)]
pub struct NewBucket {
    pub name: String,
    pub description: Option<String>,
    pub filters: Value,
    pub signals: Option<Value>,
}

/// Changes of a bucket; `None` leaves a field unchanged.
#[derive(Debug, Clone, Default)]
pub struct BucketChanges {
    pub name: Option<String>,
    pub description: Option<String>,
    pub filters: Option<Value>,
    pub signals: Option<Value>,
}

/// A bucket after a change.
#[derive(Debug, Clone)]
pub struct SavedBucket {
    pub sector: Sector,
    pub bucket: PropertyBucket,
    /// What was added; `None`: nothing was.
    pub added: Option<AddedProperties>,
}

/// Properties that a call added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedProperties {
    pub import_id: ImportId,
    /// The list of their ids.
    pub key: ObjectKey,
    /// Those that the bucket did not have.
    pub inserted: u64,
}

/// The parts of an installation that a change needs.
#[derive(Debug, Clone, Copy)]
pub struct Stores<'a> {
    pub log: &'a Log,
    pub storage: &'a Storage,
}

/// The key of the list that a call adds. The caller deletes the object when its transaction does not commit.
pub fn list_key(tenant: TenantId, import_id: ImportId, at: Micros) -> ObjectKey {
    ObjectKey::new(tenant, ObjectLocation::Import { day: Day::of(at), import_id, file: FileName::sanitise(FILE) })
}

/// Creates a bucket with these properties.
pub async fn create(
    c: &mut PgConnection,
    tenant: TenantId,
    stores: Stores<'_>,
    (new, key, ids): (NewBucket, &ObjectKey, &[String]),
    by: &By,
    receipt: impl FnOnce(&SavedBucket) -> Option<NewReceipt>,
) -> Result<(SavedBucket, Position), AdminError> {
    let sector = NewSector {
        slug: Some(format!("property-{}", ImportId::generate().ulid()).to_ascii_lowercase()),
        name: new.name,
        state: None,
        sic_codes: Vec::new(),
        legacy_bucket_id: None,
    };
    // The receipt is that of the last change.
    let before = By { command: CommandId::derive(&["property bucket", &key.to_string()]), ..by.clone() };
    let (sector, _) = sectors::create(c, tenant, stores.log, sector, &before, |_| None).await?;
    let NewBucket { description, filters, signals, .. } = new;
    let now = Micros::now();
    let bucket = PropertyBucket {
        sector_id: sector.id,
        description,
        filters,
        signals,
        created_by: by.actor.to_string(),
        created_at: now,
        updated_at: now,
    };
    property_buckets::add(c, tenant, &bucket).await?;
    let (added, completed) = add(c, tenant, stores.storage, sector.id, key, ids, by).await?;
    let import_id = added.import_id;
    let saved = SavedBucket { sector, bucket, added: Some(added) };
    let change = Change::first(import_id, vec![completed.into()]).with_receipt(receipt(&saved));
    let position = record(stores.log, c, tenant, change, by).await?;
    Ok((saved, position))
}

/// Changes a bucket, and adds the properties that it does not have.
pub async fn update(
    c: &mut PgConnection,
    tenant: TenantId,
    stores: Stores<'_>,
    sector: SectorId,
    (changes, key, ids): (BucketChanges, &ObjectKey, &[String]),
    by: &By,
    receipt: impl FnOnce(&SavedBucket) -> Option<NewReceipt>,
) -> Result<(SavedBucket, Position), AdminError> {
    let bucket = property_buckets::lock(c, tenant, sector).await?;
    let mut bucket = bucket.ok_or(AdminError::NotFound("property bucket"))?;
    let BucketChanges { name, description, filters, signals } = changes;
    bucket.description = description.or(bucket.description);
    bucket.filters = filters.unwrap_or(bucket.filters);
    bucket.signals = signals.or(bucket.signals);
    property_buckets::update(c, tenant, &bucket).await?;
    let mut added = None;
    if !ids.is_empty() {
        let before = By { command: CommandId::derive(&["property bucket", &key.to_string()]), ..by.clone() };
        let (new, completed) = add(c, tenant, stores.storage, sector, key, ids, by).await?;
        let change = Change::first(new.import_id, vec![completed.into()]);
        record(stores.log, c, tenant, change, &before).await?;
        added = Some(new);
    }
    let changes = SectorChanges { name, ..SectorChanges::default() };
    let id = sector.to_string();
    let made = |sector: &Sector| {
        receipt(&SavedBucket { sector: sector.clone(), bucket: bucket.clone(), added: added.clone() })
    };
    let (sector, position) = sectors::update(c, tenant, stores.log, &id, changes, by, made).await?;
    Ok((SavedBucket { sector, bucket, added }, position))
}

/// Hides a bucket; its sector and leads stay.
pub async fn remove(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    sector: SectorId,
    by: &By,
    receipt: impl FnOnce(&Sector) -> Option<NewReceipt>,
) -> Result<(Sector, Position), AdminError> {
    if !property_buckets::remove(c, tenant, sector).await? {
        return Err(AdminError::NotFound("property bucket"));
    }
    sectors::update(c, tenant, log, &sector.to_string(), SectorChanges::default(), by, receipt).await
}

/// Writes the leads of property ids, and the list of them as an import.
async fn add(
    c: &mut PgConnection,
    tenant: TenantId,
    storage: &Storage,
    sector: SectorId,
    key: &ObjectKey,
    ids: &[String],
    by: &By,
) -> Result<(AddedProperties, ConfigEvent), AdminError> {
    let ObjectLocation::Import { import_id, .. } = key.place else {
        return Err(AdminError::Invalid { field: "key", reason: "the key of an import".into() });
    };
    let (root, mut inserted, mut text) = (import_id.to_string(), 0, Vec::new());
    let mut row = 0;
    for batch in ids.chunks(BATCH) {
        let leads: Vec<Lead> = batch
            .iter()
            .map(|id| {
                row += 1;
                lead(sector, id, row)
            })
            .collect();
        let known: Vec<LeadId> = leads.iter().map(|lead| lead.lead_id).collect();
        let stored = leads::load(c, tenant, &known).await?;
        let new: Vec<&Lead> = leads.iter().filter(|lead| !stored.contains_key(&lead.lead_id)).collect();
        inserted += new.len() as u64;
        leads::save(c, tenant, &root, &new).await?;
        leads::update(c, tenant, &new).await?;
        for lead in &leads {
            serde_json::to_writer(&mut text, lead).map_err(|error| AdminError::Storage(error.into()))?;
            text.push(b'\n');
        }
    }
    let (size_bytes, checksum) = (text.len() as u64, hex::encode(Sha256::digest(&text)));
    storage.put(key, text.into(), new_leads::CONTENT_TYPE).await?;
    let (object_path, now) = (key.to_string(), Micros::now());
    let new = NewImport {
        id: import_id,
        file_name: FILE.into(),
        object_path: object_path.clone(),
        staged: false,
        content_type: new_leads::CONTENT_TYPE.into(),
        size_bytes: Some(size_bytes),
        checksum: Some(checksum.clone()),
        created_by: by.actor.to_string(),
        created_at: now,
    };
    imports::begin(c, tenant, &new).await?;
    imports::complete_counted(c, tenant, import_id, row, now).await?;
    let completed = ImportCompleted { import_id, object_path, size_bytes, checksum, rows: row };
    let added = AddedProperties { import_id, key: key.clone(), inserted };
    Ok((added, ConfigEvent::ImportCompleted(Box::new(completed))))
}

/// The lead of a property: of the same bucket and property it is the same lead.
fn lead(sector: SectorId, property: &str, row: u64) -> Lead {
    let mut low = [0_u8; 16];
    low[6..].copy_from_slice(&Sha256::digest(format!("{sector}\n{property}"))[..10]);
    let millis = u128::from(sector.ulid().timestamp_ms());
    let id = LeadId::from_ulid(Ulid(millis << 80 | u128::from_be_bytes(low)));
    let mut lead = Lead::bare(id, row, 0);
    lead.extra.insert(PROPERTY_ID.to_owned(), property.to_owned());
    let rule = AssignmentRule::Run;
    lead.sector = Some(SectorAssignment { sector_id: Some(sector), rule, confidence: rule.confidence() });
    lead
}
