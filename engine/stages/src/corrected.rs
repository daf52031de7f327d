//! Rows of a corrected export of failed leads: each keeps the lead id it had.

use std::collections::HashSet;

use luci_leads::{ingest::RowResult, lead_id, store};
use luci_runs::block::Task;
use luci_schema::{LeadId, event::RunInput};
use sqlx::PgConnection;

/// Whether the run reads such a file: not the file at the root of its lineage.
pub(super) fn reads_correction(task: &Task) -> bool {
    matches!(&task.run.input, RunInput::Import { import_id, .. } if import_id.to_string() != task.run.root_input_id)
}

/// The stored leads among those that the rows name; `None` when the run reads no such file. A row that names neither a stored
/// lead nor a row of the root input becomes a new lead: the ids in a file are not trusted.
pub(super) async fn recognise(
    c: &mut PgConnection,
    task: &Task,
    rows: &mut [RowResult],
) -> Result<Option<HashSet<LeadId>>, sqlx::Error> {
    let (true, RunInput::Import { import_id, .. }) = (reads_correction(task), &task.run.input) else { return Ok(None) };
    let (root, own) = (&task.run.root_input_id, import_id.to_string());
    let ids: Vec<LeadId> = rows.iter().flatten().map(|lead| lead.lead_id).collect();
    let known: HashSet<LeadId> = store::leads::load(c, task.tenant, &ids).await?.into_keys().collect();
    for lead in rows.iter_mut().flatten() {
        if !known.contains(&lead.lead_id) && lead.lead_id != lead_id(root, lead.row) {
            lead.lead_id = lead_id(&own, lead.row);
        }
    }
    Ok(Some(known))
}
