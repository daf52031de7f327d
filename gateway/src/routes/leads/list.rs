//! `GET /api/leads`: the leads of the tenant, in pages.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::store::leads::page::{self, LeadFilter};
use luci_schema::migrate::tenant_tx;
use serde_json::json;

use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let limit = request.limit(50, 500)?;
    let filter = LeadFilter {
        sector: request.query_as("sectorId")?,
        status: request.query_as("status")?,
        min_score: score(&request, "minScore")?,
        max_score: score(&request, "maxScore")?,
        after: request.query_as("cursor")?,
    };
    let mut tx = tenant_tx(&app.read_pool, caller.tenant).await?;
    let mut leads = page::page(&mut tx, caller.tenant, &filter, limit + 1).await?;
    let more = leads.len() > limit as usize;
    leads.truncate(limit as usize);
    let next = leads.last().filter(|_| more).map(|lead| lead.lead_id);
    Ok(reply::json(StatusCode::OK, &json!({"leads": leads, "hasMore": more, "nextCursor": next})))
}

fn score(request: &Request, name: &str) -> Result<Option<u8>, Problem> {
    match request.query_as::<u8>(name)? {
        Some(101..) => Err(Problem::invalid(name, "0 to 100")),
        score => Ok(score),
    }
}
