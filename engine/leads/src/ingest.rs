//! Ingests rows into the lead tables: settles duplicates, claims keys, writes leads. VALIDATE and API calls share this code.

use std::collections::HashSet;

use luci_config::vault::Vault;
use luci_schema::{LeadId, TenantId, event::OnExisting};
use sqlx::PgConnection;

use crate::{
    Lead,
    enrich::merge,
    lead::{Warning, rejection::Rejection},
    store,
    validate::{
        dedupe::{self, Claim, ClaimOutcome},
        keys,
    },
};

/// A row after validation: a lead, or the rejected lead with the reason.
pub type RowResult = Result<Lead, Box<(Lead, Rejection)>>;

/// Whose rows are ingested, and how.
#[derive(Debug, Clone, Copy)]
pub struct IngestContext<'a> {
    pub tenant: TenantId,
    pub root_input_id: &'a str,
    pub on_existing: OnExisting,
    /// `Some`: the rows are corrected failed leads; the set holds those that are stored as leads already.
    pub corrected: Option<&'a HashSet<LeadId>>,
}

/// Settles duplicates, claims keys and writes the leads, while holding the tenant's key lock.
pub async fn ingest(
    c: &mut PgConnection,
    context: &IngestContext<'_>,
    rows: Vec<RowResult>,
) -> Result<Vec<RowResult>, sqlx::Error> {
    let IngestContext { tenant, root_input_id: root, on_existing, .. } = *context;
    let claims: Vec<Claim> = rows.iter().flatten().map(claim_of).collect();
    let keys: Vec<keys::Key> = claims.iter().flat_map(|claim| claim.keys.iter().copied()).collect();
    store::lead_keys::lock(c, tenant).await?;
    let held = store::lead_keys::holders_for_input(c, tenant, root, &keys).await?;
    let outcomes = dedupe::decide(root, on_existing, &claims, &held);
    let mut decided = claims.iter().zip(outcomes);
    let mut settled = Vec::with_capacity(rows.len());
    let mut claimed = Vec::with_capacity(keys.len());
    for row in rows {
        settled.push(row.and_then(|lead| {
            let (claim, outcome) = decided.next().expect("each lead has made one claim");
            let lead = settle(lead, claim, context.keep_corrected(claim, outcome))?;
            claimed.extend(claim.keys.iter().map(|key| (*key, claim.row, lead.lead_id)));
            Ok(lead)
        }));
    }
    write_leads(c, context, &mut settled).await?;
    store::lead_keys::claim(c, tenant, root, &claimed).await?;
    Ok(settled)
}

impl IngestContext<'_> {
    /// A corrected lead that is stored keeps its identity, even if its corrected number belongs to another lead.
    fn keep_corrected(&self, claim: &Claim, outcome: ClaimOutcome) -> ClaimOutcome {
        match outcome {
            ClaimOutcome::Existing(_) | ClaimOutcome::SkippedExisting
                if self.corrected.is_some_and(|stored| stored.contains(&claim.lead_id)) =>
            {
                ClaimOutcome::Own
            }
            outcome => outcome,
        }
    }
}

fn settle(mut lead: Lead, claim: &Claim, outcome: ClaimOutcome) -> RowResult {
    match outcome {
        ClaimOutcome::DuplicateOf(first) => return Err(Box::new((lead, Rejection::duplicate(first)))),
        ClaimOutcome::SkippedExisting => return Err(Box::new((lead, Rejection::existing()))),
        ClaimOutcome::Own => lead.lead_id = claim.lead_id,
        ClaimOutcome::Existing(id) => {
            lead.lead_id = id;
            lead.warn(Warning::DuplicateExisting);
        }
    }
    Ok(lead)
}

fn claim_of(lead: &Lead) -> Claim {
    Claim { lead_id: lead.lead_id, row: lead.row, keys: keys::keys(lead) }
}

/// Writes the leads: new ones as they are, stored ones with empty fields filled. A row of another input's lead continues with
/// the data of that lead; a corrected row fills its own empty fields and replaces the stored lead.
pub async fn write_leads(
    c: &mut PgConnection,
    context: &IngestContext<'_>,
    rows: &mut [RowResult],
) -> Result<(), sqlx::Error> {
    let mut ids: Vec<LeadId> = rows.iter().flatten().map(|lead| lead.lead_id).collect();
    let mut stored = store::leads::load(c, context.tenant, &ids).await?;
    // Several rows can belong to one lead; it is written once, with the data of all of them.
    ids.sort_unstable();
    let repeated: HashSet<LeadId> = ids.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    for lead in rows.iter_mut().flatten() {
        // New, and of one row only: there is nothing to merge.
        if !stored.contains_key(&lead.lead_id) && !repeated.contains(&lead.lead_id) {
            continue;
        }
        let merged = stored.entry(lead.lead_id).or_insert_with(|| lead.clone());
        if context.corrected.is_some() && !lead.warnings.contains(&Warning::DuplicateExisting) {
            merge::fill_blanks(lead, merged);
            merged.clone_from(lead);
            continue;
        }
        merge::fill_blanks(merged, lead);
        if lead.warnings.contains(&Warning::DuplicateExisting) {
            let (row, line, warnings) = (lead.row, lead.line, lead.warnings.clone());
            *lead = Lead { row, line, warnings, ..merged.clone() };
        }
    }
    let new = rows.iter().flatten().filter(|lead| !stored.contains_key(&lead.lead_id));
    let mut changed: Vec<&Lead> = new.chain(stored.values()).collect();
    changed.sort_unstable_by_key(|lead| lead.lead_id);
    store::leads::save(c, context.tenant, context.root_input_id, &changed).await
}

fn addresses(lead: &Lead) -> impl Iterator<Item = &String> {
    lead.who.email.iter().chain(&lead.who.more_emails)
}

/// Warns of leads with a suppressed phone number or e-mail address. PUSH checks again before it sends.
pub async fn warn_suppressed(
    c: &mut PgConnection,
    tenant: TenantId,
    vault: &Vault,
    rows: &mut [RowResult],
) -> Result<(), sqlx::Error> {
    let leads = || rows.iter().flatten();
    let phones: Vec<&str> = leads().flat_map(|lead| lead.phones.iter().map(|phone| phone.number.as_str())).collect();
    let emails: Vec<&str> = leads().flat_map(addresses).map(String::as_str).collect();
    if phones.is_empty() && emails.is_empty() {
        return Ok(());
    }
    let suppressed = store::suppressions::among(c, tenant, vault, &phones, &emails).await?;
    if suppressed.is_empty() {
        return Ok(());
    }
    for lead in rows.iter_mut().flatten() {
        let email = addresses(lead).any(|address| suppressed.contains(address));
        if email || lead.phones.iter().any(|phone| suppressed.contains(&phone.number)) {
            lead.warn(Warning::Suppressed);
        }
    }
    Ok(())
}
