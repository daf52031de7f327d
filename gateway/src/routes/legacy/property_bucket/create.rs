//! `POST /api/property/bucket`: creates a bucket with a lead for each property id.

use std::sync::Arc;

use luci_leads::{
    legacy::property_buckets::{self, NewBucket, SavedBucket, Stores},
    store::leads::sector_counts::SectorCounts,
};
use luci_schema::{ImportId, Micros};
use serde_json::json;

use super::{
    super::bad_fields,
    body::{BODY_BYTES, Body, Checked},
    outcome,
};
use crate::{App, caller::Caller, idempotency, problem::Problem, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json_within::<Body>(BODY_BYTES).await?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let Checked { changes, property_ids, .. } = body.check()?;
    let name = required(changes.name.as_deref(), &property_ids)?;
    let new = NewBucket {
        name,
        description: changes.description,
        filters: changes.filters.unwrap_or_else(|| json!({})),
        signals: changes.signals,
    };
    let key = property_buckets::list_key(caller.tenant, ImportId::generate(), Micros::now());
    let stores = Stores { log: &app.log, storage: &app.storage };
    let by = command.by(&caller);
    let reply = |saved: &SavedBucket| {
        let total = saved.added.as_ref().map_or(0, |added| added.inserted);
        idempotency::answered(outcome(saved, &SectorCounts { total, ..SectorCounts::default() }))
    };
    let receipt = |saved: &SavedBucket| command.receipt(digest, &reply(saved));
    let what = (new, &key, property_ids.as_slice());
    let mut tx = app.engine_pool.begin().await?;
    match property_buckets::create(&mut tx, caller.tenant, stores, what, &by, receipt).await {
        Ok((saved, position)) => {
            tx.commit().await?;
            app.log.wake();
            Ok(idempotency::accepted(&reply(&saved), position))
        }
        Err(error) => {
            app.storage.delete(&key.to_string()).await?;
            Err(error.into())
        }
    }
}

/// The name; 400 when it or the properties are missing.
fn required(name: Option<&str>, property_ids: &[String]) -> Result<String, Problem> {
    let mut errors = Vec::new();
    if name.is_none() {
        errors.push(("name".to_owned(), "the name of the bucket".to_owned()));
    }
    if property_ids.is_empty() {
        errors.push(("propertyIds".to_owned(), "at least one id".to_owned()));
    }
    match name {
        Some(name) if errors.is_empty() => Ok(name.to_owned()),
        _ => Err(bad_fields(errors)),
    }
}
