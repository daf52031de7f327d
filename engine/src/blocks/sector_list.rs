//! The lists that ASSIGN leaves in the store: `sectors/{sector_id}/leads_{day}_{run_id}.json`, and the same as `leads_{day}.json`.
//!
//! A list is read, added to and written again by each block of the run, so it is kept for runs of ordinary size only; of
//! larger ones the book has the members.

use std::collections::BTreeMap;

use luci_schema::{
    LeadId, SectorId,
    object_key::{Day, ObjectKey, Place, SectorFile},
};
use serde::{Deserialize, Serialize};

use super::outcome::{database_failed, storage_failed};
use crate::{
    block::{BlockFault, Task, Tools},
    book,
    lead::Lead,
    storage::StorageError,
};

/// Runs of more leads write no lists: their objects would be rewritten whole thousands of times.
const LARGEST_RUN: u64 = 10_000;

/// What is in the object.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    sector_id: SectorId,
    run_id: luci_schema::RunId,
    date: String,
    count: usize,
    leads: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    lead_id: LeadId,
    company_name: Option<String>,
    contact_name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    state: Option<String>,
    sic_code: Option<String>,
    score: Option<u8>,
}

impl Entry {
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
    if task.run.total_leads > LARGEST_RUN {
        return Ok(());
    }
    let mut by_sector: BTreeMap<SectorId, Vec<Entry>> = BTreeMap::new();
    for lead in leads {
        if let Some(sector) = lead.sector.as_ref().and_then(|placed| placed.sector_id) {
            by_sector.entry(sector).or_default().push(Entry::of(lead));
        }
    }
    for (sector, entries) in by_sector {
        // Blocks of one run end at the same moment: the lock holds from the reading to the writing.
        let mut tx = tools.pool.begin().await.map_err(database_failed)?;
        book::sectors::lock_list(&mut tx, task.tenant, sector).await.map_err(database_failed)?;
        extend(task, tools, sector, entries).await.map_err(storage_failed)?;
        tx.commit().await.map_err(database_failed)?;
    }
    Ok(())
}

async fn extend(task: &Task, tools: &Tools, sector_id: SectorId, new: Vec<Entry>) -> Result<(), StorageError> {
    let day = Day::of(task.run_started_at);
    let key = |run_id| ObjectKey::new(task.tenant, Place::Sector { sector_id, file: SectorFile::Leads, day, run_id });
    let of_run = key(Some(task.run_id));
    let earlier = match tools.storage.get(&of_run.to_string()).await {
        Ok(bytes) => serde_json::from_slice::<List>(&bytes)?.leads,
        Err(StorageError::NotFound(_)) => Vec::new(),
        Err(error) => return Err(error),
    };
    let all: BTreeMap<LeadId, Entry> = earlier.into_iter().chain(new).map(|entry| (entry.lead_id, entry)).collect();
    let (run_id, date) = (task.run_id, task.run_started_at.date());
    let list = List { sector_id, run_id, date, count: all.len(), leads: all.into_values().collect() };
    let bytes = bytes::Bytes::from(serde_json::to_vec(&list)?);
    tools.storage.put(&of_run, bytes.clone(), "application/json").await?;
    tools.storage.put(&key(None), bytes, "application/json").await
}
