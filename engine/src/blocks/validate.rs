//! VALIDATE: makes rows tidy, refuses what is no lead or a duplicate, and writes the leads into the book.

use futures::{FutureExt, future::BoxFuture};
use luci_schema::{LeadId, Stage, event::BlockReport};
use sqlx::PgConnection;

use super::{
    mended,
    outcome::{self, Outcome, database_failed},
};
use crate::{
    block::{BlockFault, BlockKind, Progress, Task, Tools},
    book,
    lead::{
        Lead,
        dedupe::{self, Claim, Verdict},
        intake,
        judge::Rejection,
        keys,
        line::FailedLine,
        merge,
        record::Warning,
    },
};

pub(super) struct Validate;

impl BlockKind for Validate {
    fn stage(&self) -> Stage {
        Stage::Validate
    }

    fn provider(&self, _: &Task) -> String {
        "internal".into()
    }

    fn outside(&self) -> bool {
        false
    }

    fn run<'a>(
        &'a self,
        task: &'a Task,
        tools: &'a Tools,
        _: &'a Progress,
    ) -> BoxFuture<'a, Result<BlockReport, BlockFault>> {
        validate(task, tools).boxed()
    }
}

/// A row on its way: a lead so far, or refused.
pub(super) type Judged = Result<Lead, Box<(Lead, Rejection)>>;

async fn validate(task: &Task, tools: &Tools) -> Result<BlockReport, BlockFault> {
    let mut outcome = Outcome::new(task, tools);
    // Claims and leads are written as a whole or not at all: there is no lead in hand to finish.
    if task.stop.is_cancelled() {
        return outcome.finish().await;
    }
    let mut rows: Vec<Judged> = outcome::leads(task, tools).await?.into_iter().map(intake::tidy).collect();
    let mut tx = tools.pool.begin().await.map_err(database_failed)?;
    // The members of a sector are leads already; only rows of a file claim keys.
    if task.run.root_input_id.starts_with("import_") {
        rows = claim(&mut tx, task, rows).await.map_err(database_failed)?;
    } else if mended::is(task) {
        mended::recognise(&mut tx, task, &mut rows).await.map_err(database_failed)?;
        write(&mut tx, task, &mut rows).await.map_err(database_failed)?;
    }
    suppress(&mut tx, task, &mut rows).await.map_err(database_failed)?;
    tx.commit().await.map_err(database_failed)?;
    for row in rows {
        match row {
            Ok(lead) => {
                lead.warnings.iter().for_each(|warning| outcome.warn(warning.as_str()));
                outcome.success(&lead).await?;
            }
            Err(refused) => outcome.rejected(&FailedLine::rejected(refused.0, refused.1)).await?,
        }
    }
    outcome.finish().await
}

/// Settles duplicates and writes the leads, under the tenant's lock.
async fn claim(c: &mut PgConnection, task: &Task, mut rows: Vec<Judged>) -> Result<Vec<Judged>, sqlx::Error> {
    let (tenant, root) = (task.tenant, &task.run.root_input_id);
    let known = mended::recognise(c, task, &mut rows).await?;
    let claims: Vec<Claim> = rows.iter().flatten().map(claim_of).collect();
    let wanted: Vec<keys::Key> = claims.iter().flat_map(|claim| claim.keys.iter().copied()).collect();
    book::lead_keys::lock(c, tenant).await?;
    let held = book::lead_keys::holders(c, tenant, &wanted).await?;
    let verdicts = dedupe::judge(root, task.run.options.on_existing, &claims, &held);
    let mut decided = claims.iter().zip(verdicts);
    let mut settled = Vec::with_capacity(rows.len());
    let mut claimed = Vec::with_capacity(wanted.len());
    for row in rows {
        settled.push(row.and_then(|lead| {
            let (claim, verdict) = decided.next().expect("each lead has made one claim");
            let lead = settle(lead, claim, mended::stays(&known, claim, verdict))?;
            claimed.extend(claim.keys.iter().map(|key| (*key, claim.row, lead.lead_id)));
            Ok(lead)
        }));
    }
    write(c, task, &mut settled).await?;
    book::lead_keys::claim(c, tenant, root, &claimed).await?;
    Ok(settled)
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
/// goes on with what is known of that lead.
async fn write(c: &mut PgConnection, task: &Task, rows: &mut [Judged]) -> Result<(), sqlx::Error> {
    let mut ids: Vec<LeadId> = rows.iter().flatten().map(|lead| lead.lead_id).collect();
    let mut known = book::leads::load(c, task.tenant, &ids).await?;
    for lead in rows.iter_mut().flatten() {
        let merged = known.entry(lead.lead_id).or_insert_with(|| lead.clone());
        if mended::is(task) && !lead.warnings.contains(&Warning::DuplicateExisting) {
            mended::merge(lead, merged);
            continue;
        }
        merge::blanks(merged, lead);
        if lead.warnings.contains(&Warning::DuplicateExisting) {
            let (row, line, warnings) = (lead.row, lead.line, lead.warnings.clone());
            *lead = Lead { row, line, warnings, ..merged.clone() };
        }
    }
    // Two rows can belong to one lead, which is written once, with what both know.
    ids.sort_unstable();
    ids.dedup();
    let newest: Vec<Lead> = ids.iter().filter_map(|id| known.remove(id)).collect();
    book::leads::save(c, task.tenant, &task.run.root_input_id, &newest).await
}

/// Warns of numbers and addresses that must not be written to; PUSH asks again.
async fn suppress(c: &mut PgConnection, task: &Task, rows: &mut [Judged]) -> Result<(), sqlx::Error> {
    let leads = || rows.iter().flatten();
    let phones: Vec<&str> = leads().flat_map(|lead| lead.phones.iter().map(|phone| phone.number.as_str())).collect();
    let emails: Vec<&str> = leads().filter_map(|lead| lead.who.email.as_deref()).collect();
    if phones.is_empty() && emails.is_empty() {
        return Ok(());
    }
    let found = book::suppressions::among(c, task.tenant, &phones, &emails).await?;
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
