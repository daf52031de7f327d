//! Rows of an export of failed leads that was mended: each goes on as the lead it was, and what was mended stands.

use std::collections::HashSet;

use luci_schema::{LeadId, event::RunInput};
use sqlx::PgConnection;

use super::validate::Judged;
use crate::{
    block::Task,
    book,
    lead::{
        Lead,
        dedupe::{Claim, Verdict},
        lead_id, merge,
    },
};

/// Whether the run reads such a file: it is another one than that at the root of its lineage.
pub(super) fn is(task: &Task) -> bool {
    matches!(&task.run.input, RunInput::Import { import_id, .. } if import_id.to_string() != task.run.root_input_id)
}

/// The leads of the book among those that the rows name. A row that names neither one of these nor a row of the root input
/// becomes a lead of its own: what a file says of itself is not believed.
pub(super) async fn recognise(
    c: &mut PgConnection,
    task: &Task,
    rows: &mut [Judged],
) -> Result<HashSet<LeadId>, sqlx::Error> {
    let (true, RunInput::Import { import_id, .. }) = (is(task), &task.run.input) else { return Ok(HashSet::new()) };
    let (root, own) = (&task.run.root_input_id, import_id.to_string());
    let ids: Vec<LeadId> = rows.iter().flatten().map(|lead| lead.lead_id).collect();
    let known: HashSet<LeadId> = book::leads::load(c, task.tenant, &ids).await?.into_keys().collect();
    for lead in rows.iter_mut().flatten() {
        if !known.contains(&lead.lead_id) && lead.lead_id != lead_id(root, lead.row) {
            lead.lead_id = lead_id(&own, lead.row);
        }
    }
    Ok(known)
}

/// A lead that is in the book stays itself, also when its mended number is one that another lead has.
pub(super) fn stays(known: &HashSet<LeadId>, claim: &Claim, verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Existing(_) | Verdict::LeftOut if known.contains(&claim.lead_id) => Verdict::Own,
        verdict => verdict,
    }
}

/// The mended row fills its blanks with what the book knows, and takes its place there.
pub(super) fn merge(row: &mut Lead, known: &mut Lead) {
    merge::blanks(row, known);
    known.clone_from(row);
}
