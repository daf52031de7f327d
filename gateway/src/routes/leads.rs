//! /api/leads: what the tenant knows of its leads, in pages, one by one, and where each stands.

use std::sync::Arc;

use http::StatusCode;
use luci_engine::{
    admin::leads::{self as admin, Moved},
    book::{
        contacts,
        leads::page::{self, Filter},
    },
    lead::status::Status,
};
use luci_schema::{LeadId, migrate::tenant_tx};
use serde::Deserialize;
use serde_json::json;

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    idempotency::{self, Begun},
    problem::Problem,
    serve,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Changed {
    status: Option<Status>,
}

pub async fn list(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let limit = ask.limit(50, 500)?;
    let filter = Filter {
        sector: ask.query_as("sectorId")?,
        status: ask.query_as("status")?,
        min_score: mark(&ask, "minScore")?,
        max_score: mark(&ask, "maxScore")?,
        after: ask.query_as("cursor")?,
    };
    let mut tx = tenant_tx(&app.read_pool, caller.tenant).await?;
    let mut leads = page::page(&mut tx, caller.tenant, &filter, limit + 1).await?;
    let more = leads.len() > limit as usize;
    leads.truncate(limit as usize);
    let next = leads.last().filter(|_| more).map(|lead| lead.lead_id);
    Ok(serve::json(StatusCode::OK, &json!({"leads": leads, "hasMore": more, "nextCursor": next})))
}

fn mark(ask: &Ask, name: &str) -> Result<Option<u8>, Problem> {
    match ask.query_as::<u8>(name)? {
        Some(101..) => Err(Problem::invalid(name, "0 to 100")),
        mark => Ok(mark),
    }
}

/// One lead, with the people whom providers named for it.
pub async fn get(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let id: LeadId = ask.id(0, "lead")?;
    let mut tx = tenant_tx(&app.read_pool, caller.tenant).await?;
    let lead = page::get(&mut tx, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("lead"))?;
    let contacts = contacts::of_lead(&mut tx, caller.tenant, id).await?;
    let mut body = serde_json::to_value(&lead).map_err(|error| Problem::internal(&error))?;
    body["contacts"] = json!(contacts);
    Ok(serve::json(StatusCode::OK, &body))
}

/// Moves a lead on. `dnc` is final.
pub async fn update(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let id: LeadId = ask.id(0, "lead")?;
    let (body, digest) = ask.json::<Changed>().await?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let mut tx = app.engine_pool.begin().await?;
    let outcome = json!({"leadId": id, "status": body.status});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let moved = admin::set_status(&mut tx, caller.tenant, &app.log, (id, body.status), &by, receipt).await?;
    match moved {
        Moved::Now(position) => {
            tx.commit().await?;
            app.log.wake();
            Ok(idempotency::accepted(&outcome, position))
        }
        Moved::Before => Ok(idempotency::accepted(&outcome, app.log.head())),
        Moved::Not { from } => Err(Problem::new(StatusCode::CONFLICT, "illegal-status", "Not possible now")
            .detail("A lead goes forwards: new, contacted, qualified, converted; dnc is final.")
            .with("leadStatus", from.as_str())),
    }
}
