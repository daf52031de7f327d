//! `POST /api/leads`: creates up to a thousand leads, all or none.

use std::sync::Arc;

use luci_leads::{
    Lead,
    commands::new_leads::{self, CreatedLeads, NewLeads},
    lead_id,
    read::json_row,
};
use luci_schema::{ImportId, Micros, event::OnExisting};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{App, caller::Caller, idempotency, problem::Problem, request::Request, routes::HandlerResult};

/// Leads of one call, at most.
const MAX_LEADS: usize = 1_000;

/// The size limit of the body: four kilobytes a lead.
const BODY_LIMIT: u64 = 4 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    leads: Vec<Value>,
    #[serde(default)]
    on_existing: OnExisting,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json_within::<Body>(BODY_LIMIT).await?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let import_id = ImportId::generate();
    let leads = parse(import_id, &body.leads)?;
    let key = new_leads::key(caller.tenant, import_id, Micros::now());
    let new = NewLeads { import_id, key: key.clone(), leads, on_existing: body.on_existing };
    let by = command.by(&caller);
    let receipt = |created: &CreatedLeads| command.receipt(digest, &outcome(created));
    let mut tx = app.engine_pool.begin().await?;
    match new_leads::create(&mut tx, caller.tenant, (&app.log, &app.storage, &app.vault), new, &by, receipt).await {
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

fn outcome(created: &CreatedLeads) -> Value {
    let mut outcome = json!(created);
    outcome = idempotency::created(outcome);
    outcome
}

/// All leads, or a 422 that lists every invalid field.
fn parse(import_id: ImportId, values: &[Value]) -> Result<Vec<Lead>, Problem> {
    if !(1..=MAX_LEADS).contains(&values.len()) {
        return Err(Problem::invalid("leads", format!("1 to {MAX_LEADS} leads, found {}", values.len())));
    }
    let root = import_id.to_string();
    let (mut leads, mut errors) = (Vec::with_capacity(values.len()), Vec::new());
    for (index, value) in values.iter().enumerate() {
        let row = index as u64 + 1;
        match json_row::read(Lead::bare(lead_id(&root, row), row, 0), value) {
            Ok(lead) => leads.push(lead),
            Err(fields) => errors.extend(fields.into_iter().map(|(field, reason)| (path(index, &field), reason))),
        }
    }
    if errors.is_empty() { Ok(leads) } else { Err(Problem::invalid_fields(errors)) }
}

fn path(index: usize, field: &str) -> String {
    if field.is_empty() { format!("leads[{index}]") } else { format!("leads[{index}].{field}") }
}
