//! POST /api/leads: up to a thousand leads at once, all or none.

use std::sync::Arc;

use luci_engine::{
    admin::new_leads::{self, Created, NewLeads},
    lead::{Lead, json_row, lead_id},
};
use luci_schema::{ImportId, Micros, event::OnExisting};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    idempotency::{self, Begun},
    problem::Problem,
};

/// Leads of one call.
const MOST: usize = 1_000;
/// Four kilobytes a lead.
const LARGEST: u64 = 4 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    leads: Vec<Value>,
    #[serde(default)]
    on_existing: OnExisting,
}

pub async fn create(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json_within::<Body>(LARGEST).await?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let import_id = ImportId::generate();
    let leads = read(import_id, &body.leads)?;
    let key = new_leads::key(caller.tenant, import_id, Micros::now());
    let new = NewLeads { import_id, key: key.clone(), leads, on_existing: body.on_existing };
    let by = command.by(&caller);
    let receipt = |created: &Created| command.receipt(digest, &outcome(created));
    let mut tx = app.engine_pool.begin().await?;
    match new_leads::create(&mut tx, caller.tenant, (&app.log, &app.storage), new, &by, receipt).await {
        Ok((created, position)) => {
            tx.commit().await?;
            app.log.wake();
            Ok(idempotency::accepted(&outcome(&created), position))
        }
        Err(error) => {
            app.storage.delete(&key.to_string()).await?;
            Err(error.into())
        }
    }
}

fn outcome(created: &Created) -> Value {
    let mut outcome = json!(created);
    outcome["httpStatus"] = json!(201);
    outcome
}

/// All of them, or everything that is wrong with any.
fn read(import_id: ImportId, given: &[Value]) -> Result<Vec<Lead>, Problem> {
    if !(1..=MOST).contains(&given.len()) {
        return Err(Problem::invalid("leads", format!("1 to {MOST} leads, found {}", given.len())));
    }
    let root = import_id.to_string();
    let (mut leads, mut wrong) = (Vec::with_capacity(given.len()), Vec::new());
    for (index, one) in given.iter().enumerate() {
        let row = index as u64 + 1;
        match json_row::read(Lead::bare(lead_id(&root, row), row, 0), one) {
            Ok(lead) => leads.push(lead),
            Err(fields) => wrong.extend(fields.into_iter().map(|(field, reason)| (at(index, &field), reason))),
        }
    }
    if wrong.is_empty() { Ok(leads) } else { Err(Problem::fields(wrong)) }
}

fn at(index: usize, field: &str) -> String {
    if field.is_empty() { format!("leads[{index}]") } else { format!("leads[{index}].{field}") }
}
