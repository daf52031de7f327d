//! The lists that ASSIGN writes to the store: `sectors/{sector_id}/leads_{day}_{run_id}.json`, and the same as `leads_{day}.json`.
//!
//! Each block of the run reads, extends and rewrites its list, so larger runs write none: table `leads` has the members.

use std::collections::BTreeMap;

use luci_leads::{Lead, store};
use luci_runs::block::{BlockFault, Task};
use luci_schema::{
    LeadId, SectorId,
    object_key::{Day, ObjectKey, ObjectLocation, SectorFile},
};
use luci_storage::StorageError;
use serde::{Deserialize, Serialize};

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
    run_id: luci_schema::RunId,
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
        // Blocks of one run end at the same moment: the lock is held from the read to the write.
        let mut tx = tools.pool.begin().await.map_err(database_failed)?;
        store::sectors::lock_list(&mut tx, task.tenant, sector).await.map_err(database_failed)?;
        extend(task, tools, sector, entries).await.map_err(storage_failed)?;
        tx.commit().await.map_err(database_failed)?;
    }
    Ok(())
}

async fn extend(task: &Task, tools: &Tools, sector_id: SectorId, new: Vec<ListedLead>) -> Result<(), StorageError> {
    let day = Day::of(task.run_started_at);
    let key = |run_id| {
        ObjectKey::new(task.tenant, ObjectLocation::Sector { sector_id, file: SectorFile::Leads, day, run_id })
    };
    let run_key = key(Some(task.run_id));
    let earlier = match tools.storage.get(&run_key.to_string()).await {
        Ok(bytes) => serde_json::from_slice::<List>(&bytes)?.leads,
        Err(StorageError::NotFound(_)) => Vec::new(),
        Err(error) => return Err(error),
    };
    let all: BTreeMap<LeadId, ListedLead> =
        earlier.into_iter().chain(new).map(|entry| (entry.lead_id, entry)).collect();
    let (run_id, date) = (task.run_id, task.run_started_at.date());
    let list = List { sector_id, run_id, date, count: all.len(), leads: all.into_values().collect() };
    let bytes = bytes::Bytes::from(serde_json::to_vec(&list)?);
    tools.storage.put(&run_key, bytes.clone(), "application/json").await?;
    tools.storage.put(&key(None), bytes, "application/json").await
}
