//! The lists that ASSIGN writes to the store: `sectors/{sector_id}/leads_{day}_{run_id}.json`, and the same as `leads_{day}.json`.
//!
//! Each block of the run reads, extends and rewrites its list, so larger runs write none: table `leads` has the members. What was
//! written is recorded in table `sector_lists`, and compared when it is read.

use std::collections::BTreeMap;

use bytes::Bytes;
use luci_leads::{
    Lead,
    store::{self, sector_lists},
};
use luci_runs::block::{BlockFault, Task};
use luci_schema::{
    LeadId, ObjectDigest, RunId, SectorId,
    object_key::{Day, ObjectKey, ObjectLocation, SectorFile},
};
use luci_storage::StorageError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use crate::{
    kind::Tools,
    outcome::{database_failed, storage_failed},
};

/// Runs of more leads write no lists: the objects would be rewritten thousands of times.
const MAX_LEADS: u64 = 10_000;

/// The content of the object.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    sector_id: SectorId,
    run_id: RunId,
    date: String,
    count: usize,
    leads: Vec<ListedLead>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedLead {
    lead_id: LeadId,
    company_name: Option<String>,
    contact_name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    state: Option<String>,
    sic_code: Option<String>,
    score: Option<u8>,
}

impl ListedLead {
    fn of(lead: &Lead) -> Self {
        Self {
            lead_id: lead.lead_id,
            company_name: lead.firm.company_name.clone(),
            contact_name: lead.who.contact_name.clone(),
            email: lead.who.email.clone(),
            phone: lead.phones.first().map(|phone| phone.number.clone()),
            state: lead.state().map(str::to_owned),
            sic_code: lead.firm.sic_code.clone(),
            score: lead.scored.as_ref().map(|scored| scored.score),
        }
    }
}

/// Adds a block's leads to the lists of their sectors.
pub(super) async fn add(task: &Task, tools: &Tools, leads: &[Lead]) -> Result<(), BlockFault> {
    if task.run.total_leads > MAX_LEADS {
        return Ok(());
    }
    let mut by_sector: BTreeMap<SectorId, Vec<ListedLead>> = BTreeMap::new();
    for lead in leads {
        if let Some(sector) = lead.sector.as_ref().and_then(|placed| placed.sector_id) {
            by_sector.entry(sector).or_default().push(ListedLead::of(lead));
        }
    }
    for (sector, entries) in by_sector {
        // Blocks of one run end at the same moment: the lock is held from the read to the record of what was written.
        let mut tx = tools.pool.begin().await.map_err(database_failed)?;
        store::sectors::lock_list(&mut tx, task.tenant, sector).await.map_err(database_failed)?;
        extend(&mut tx, task, tools, sector, entries).await?;
        tx.commit().await.map_err(database_failed)?;
    }
    Ok(())
}

async fn extend(
    c: &mut PgConnection,
    task: &Task,
    tools: &Tools,
    sector: SectorId,
    entries: Vec<ListedLead>,
) -> Result<(), BlockFault> {
    let keys = [Some(task.run_id), None].map(|run_id| key(task, sector, run_id));
    let paths = keys.each_ref().map(ToString::to_string);
    let recorded = sector_lists::digest(c, task.tenant, &paths[0]).await.map_err(database_failed)?;
    let earlier = match read(tools, &paths[0], recorded).await {
        Err(StorageError::Integrity(fault)) => {
            // A crash between the two writes below, a database that was restored to the past, or somebody's change.
            tracing::error!(object = fault.object_path, %fault, "sector list is not what was recorded, made again");
            metrics::counter!("luci_sector_lists_remade_total").increment(1);
            let found = read(tools, &paths[0], None).await.unwrap_or_default();
            stored(c, task, sector, &found).await.map_err(database_failed)?
        }
        read => read.map_err(storage_failed)?,
    };
    let bytes = extended(task, sector, earlier, entries).map_err(storage_failed)?;
    for key in &keys {
        tools.storage.put(key, bytes.clone(), "application/json").await.map_err(storage_failed)?;
    }
    let digest = ObjectDigest { size_bytes: bytes.len() as u64, checksum: hex::encode(Sha256::digest(&bytes)) };
    sector_lists::record(c, task.tenant, &paths, &digest).await.map_err(database_failed)
}

/// The key of the run's list, or of the newest list of the day.
fn key(task: &Task, sector_id: SectorId, run_id: Option<RunId>) -> ObjectKey {
    let day = Day::of(task.run_started_at);
    ObjectKey::new(task.tenant, ObjectLocation::Sector { sector_id, file: SectorFile::Leads, day, run_id })
}

/// What the run's list has so far; nothing when there is none, or it was removed.
async fn read(tools: &Tools, path: &str, recorded: Option<ObjectDigest>) -> Result<Vec<ListedLead>, StorageError> {
    let bytes = match &recorded {
        Some(digest) => tools.storage.get_verified(path, digest).await,
        None => tools.storage.get(path).await,
    };
    match bytes {
        Ok(bytes) => Ok(serde_json::from_slice::<List>(&bytes)?.leads),
        Err(StorageError::NotFound(_) | StorageError::Expired { .. } | StorageError::Erased { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Of a list that cannot be trusted, the leads that are in the sector, as their table has them.
async fn stored(
    c: &mut PgConnection,
    task: &Task,
    sector: SectorId,
    found: &[ListedLead],
) -> Result<Vec<ListedLead>, sqlx::Error> {
    let ids: Vec<LeadId> = found.iter().map(|entry| entry.lead_id).collect();
    let leads = store::leads::load(c, task.tenant, &ids).await?;
    let of_sector = |lead: &&Lead| lead.sector.as_ref().is_some_and(|placed| placed.sector_id == Some(sector));
    Ok(leads.values().filter(of_sector).map(ListedLead::of).collect())
}

/// The list with a block's leads; one that is there already is replaced.
fn extended(
    task: &Task,
    sector_id: SectorId,
    earlier: Vec<ListedLead>,
    new: Vec<ListedLead>,
) -> Result<Bytes, StorageError> {
    let all: BTreeMap<LeadId, ListedLead> =
        earlier.into_iter().chain(new).map(|entry| (entry.lead_id, entry)).collect();
    let (run_id, date) = (task.run_id, task.run_started_at.date());
    let list = List { sector_id, run_id, date, count: all.len(), leads: all.into_values().collect() };
    Ok(serde_json::to_vec(&list)?.into())
}
