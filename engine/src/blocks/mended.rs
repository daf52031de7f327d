//! Rows of an export of failed leads that was mended: each goes on as the lead it was.

use std::collections::HashSet;

use luci_schema::{LeadId, event::RunInput};
use sqlx::PgConnection;

use crate::{block::Task, book, enter::Judged, lead::lead_id};

/// Whether the run reads such a file: it is another one than that at the root of its lineage.
pub(super) fn is(task: &Task) -> bool {
    matches!(&task.run.input, RunInput::Import { import_id, .. } if import_id.to_string() != task.run.root_input_id)
}

/// The leads of the book among those that the rows name; `None` where the run reads no such file. A row that names neither one of these nor a row of the root input
/// becomes a lead of its own: what a file says of itself is not believed.
pub(super) async fn recognise(
    c: &mut PgConnection,
    task: &Task,
    rows: &mut [Judged],
) -> Result<Option<HashSet<LeadId>>, sqlx::Error> {
    let (true, RunInput::Import { import_id, .. }) = (is(task), &task.run.input) else { return Ok(None) };
    let (root, own) = (&task.run.root_input_id, import_id.to_string());
    let ids: Vec<LeadId> = rows.iter().flatten().map(|lead| lead.lead_id).collect();
    let known: HashSet<LeadId> = book::leads::load(c, task.tenant, &ids).await?.into_keys().collect();
    for lead in rows.iter_mut().flatten() {
        if !known.contains(&lead.lead_id) && lead.lead_id != lead_id(root, lead.row) {
            lead.lead_id = lead_id(&own, lead.row);
        }
    }
    Ok(Some(known))
}
