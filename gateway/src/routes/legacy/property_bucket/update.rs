//! `PUT /api/property/bucket`: changes a bucket, and adds the properties that it does not have.

use std::sync::Arc;

use luci_leads::legacy::property_buckets::{self, SavedBucket, Stores};
use luci_schema::{ImportId, Micros};

use super::{
    body::{BODY_BYTES, Body, Checked},
    counts, id_of, id_required, outcome,
};
use crate::{App, caller::Caller, idempotency, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json_within::<Body>(BODY_BYTES).await?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let Checked { id, changes, property_ids } = body.check()?;
    let sector = id.or(id_of(&request)?).ok_or_else(id_required)?;
    let key = property_buckets::list_key(caller.tenant, ImportId::generate(), Micros::now());
    let stores = Stores { log: &app.log, storage: &app.storage };
    let by = command.by(&caller);
    let mut tx = app.engine_pool.begin().await?;
    let before = counts(&mut tx, caller.tenant, sector).await?;
    let reply = |saved: &SavedBucket| {
        let mut after = before.clone();
        after.total += saved.added.as_ref().map_or(0, |added| added.inserted);
        idempotency::answered(outcome(saved, &after))
    };
    let receipt = |saved: &SavedBucket| command.receipt(digest, &reply(saved));
    let what = (changes, &key, property_ids.as_slice());
    match property_buckets::update(&mut tx, caller.tenant, stores, sector, what, &by, receipt).await {
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
