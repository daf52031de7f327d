//! Rows enter the book: duplicates settled, keys claimed, leads written. One code for VALIDATE and for an API call.

use std::collections::HashSet;

use luci_schema::{LeadId, TenantId, event::OnExisting};
use sqlx::PgConnection;

use crate::{
    book,
    lead::{
        Lead,
        dedupe::{self, Claim, Verdict},
        judge::Rejection,
        keys, merge,
        record::Warning,
    },
};

/// A row on its way: a lead so far, or refused.
pub type Judged = Result<Lead, Box<(Lead, Rejection)>>;

/// For whom rows enter, and what they are.
#[derive(Debug, Clone, Copy)]
pub struct Entering<'a> {
    pub tenant: TenantId,
    pub root_input_id: &'a str,
    pub on_existing: OnExisting,
    /// The rows are failed leads that were mended: those of them that are leads of the book.
    pub mended: Option<&'a HashSet<LeadId>>,
}

/// Settles duplicates and writes the leads, under the tenant's lock.
pub async fn claim(
    c: &mut PgConnection,
    entering: &Entering<'_>,
    rows: Vec<Judged>,
) -> Result<Vec<Judged>, sqlx::Error> {
    let Entering { tenant, root_input_id: root, on_existing, .. } = *entering;
    let claims: Vec<Claim> = rows.iter().flatten().map(claim_of).collect();
    let wanted: Vec<keys::Key> = claims.iter().flat_map(|claim| claim.keys.iter().copied()).collect();
    book::lead_keys::lock(c, tenant).await?;
    let held = book::lead_keys::holders(c, tenant, &wanted).await?;
    let verdicts = dedupe::judge(root, on_existing, &claims, &held);
    let mut decided = claims.iter().zip(verdicts);
    let mut settled = Vec::with_capacity(rows.len());
    let mut claimed = Vec::with_capacity(wanted.len());
    for row in rows {
        settled.push(row.and_then(|lead| {
            let (claim, verdict) = decided.next().expect("each lead has made one claim");
            let lead = settle(lead, claim, entering.stays(claim, verdict))?;
            claimed.extend(claim.keys.iter().map(|key| (*key, claim.row, lead.lead_id)));
            Ok(lead)
        }));
    }
    write(c, entering, &mut settled).await?;
    book::lead_keys::claim(c, tenant, root, &claimed).await?;
    Ok(settled)
}

impl Entering<'_> {
    /// A lead that is in the book stays itself, also when its mended number is one that another lead has.
    fn stays(&self, claim: &Claim, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Existing(_) | Verdict::LeftOut
                if self.mended.is_some_and(|known| known.contains(&claim.lead_id)) =>
            {
                Verdict::Own
            }
            verdict => verdict,
        }
    }
}

fn settle(mut lead: Lead, claim: &Claim, verdict: Verdict) -> Judged {
    match verdict {
        Verdict::DuplicateOf(first) => return Err(Box::new((lead, Rejection::duplicate(first)))),
        Verdict::LeftOut => return Err(Box::new((lead, Rejection::existing()))),
        Verdict::Own => lead.lead_id = claim.lead_id,
        Verdict::Existing(id) => {
            lead.lead_id = id;
            lead.warn(Warning::DuplicateExisting);
        }
    }
    Ok(lead)
}

fn claim_of(lead: &Lead) -> Claim {
    Claim { lead_id: lead.lead_id, row: lead.row, keys: keys::keys(lead) }
}

/// Writes the leads: new ones as they are, known ones with their blanks filled. A row that belongs to another input's lead
/// goes on with what is known of that lead; a mended one fills its own blanks and takes the known one's place.
pub async fn write(c: &mut PgConnection, entering: &Entering<'_>, rows: &mut [Judged]) -> Result<(), sqlx::Error> {
    let mut ids: Vec<LeadId> = rows.iter().flatten().map(|lead| lead.lead_id).collect();
    let mut known = book::leads::load(c, entering.tenant, &ids).await?;
    // Two rows can belong to one lead, which is written once, with what both know.
    ids.sort_unstable();
    let twice: HashSet<LeadId> = ids.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    for lead in rows.iter_mut().flatten() {
        // New, and of this row alone: there is nothing to merge it with.
        if !known.contains_key(&lead.lead_id) && !twice.contains(&lead.lead_id) {
            continue;
        }
        let merged = known.entry(lead.lead_id).or_insert_with(|| lead.clone());
        if entering.mended.is_some() && !lead.warnings.contains(&Warning::DuplicateExisting) {
            merge::blanks(lead, merged);
            merged.clone_from(lead);
            continue;
        }
        merge::blanks(merged, lead);
        if lead.warnings.contains(&Warning::DuplicateExisting) {
            let (row, line, warnings) = (lead.row, lead.line, lead.warnings.clone());
            *lead = Lead { row, line, warnings, ..merged.clone() };
        }
    }
    let new = rows.iter().flatten().filter(|lead| !known.contains_key(&lead.lead_id));
    let mut newest: Vec<&Lead> = new.chain(known.values()).collect();
    newest.sort_unstable_by_key(|lead| lead.lead_id);
    book::leads::save(c, entering.tenant, entering.root_input_id, &newest).await
}

/// Warns of numbers and addresses that must not be written to; PUSH asks again.
pub async fn suppress(c: &mut PgConnection, tenant: TenantId, rows: &mut [Judged]) -> Result<(), sqlx::Error> {
    let leads = || rows.iter().flatten();
    let phones: Vec<&str> = leads().flat_map(|lead| lead.phones.iter().map(|phone| phone.number.as_str())).collect();
    let emails: Vec<&str> = leads().filter_map(|lead| lead.who.email.as_deref()).collect();
    if phones.is_empty() && emails.is_empty() {
        return Ok(());
    }
    let found = book::suppressions::among(c, tenant, &phones, &emails).await?;
    if found.is_empty() {
        return Ok(());
    }
    for lead in rows.iter_mut().flatten() {
        let email = lead.who.email.as_ref().is_some_and(|address| found.contains(address));
        if email || lead.phones.iter().any(|phone| found.contains(&phone.number)) {
            lead.warn(Warning::Suppressed);
        }
    }
    Ok(())
}
