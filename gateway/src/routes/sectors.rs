//! /api/sectors: the tenant's markets, listed, looked at, made and changed.

use std::sync::Arc;

use http::StatusCode;
use luci_engine::{
    admin::sectors::{self, Draft, Revision},
    book::{leads, sectors as book},
};
use luci_schema::migrate::tenant_tx;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

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
struct NewSector {
    slug: Option<String>,
    name: String,
    state: Option<String>,
    #[serde(default)]
    sic_codes: Vec<String>,
    legacy_bucket_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangedSector {
    name: Option<String>,
    /// `null` makes it nationwide; absent leaves it.
    #[serde(default, deserialize_with = "given")]
    state: Option<Option<String>>,
    sic_codes: Option<Vec<String>>,
}

fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

fn shape(sector: &book::Sector) -> Value {
    json!({"sectorId": sector.id, "slug": sector.slug, "name": sector.name, "state": sector.state,
        "sicCodes": sector.sic_codes, "legacyBucketId": sector.legacy_bucket_id,
        "createdAt": sector.created_at.rfc3339()})
}

/// By slug; `state` is two letters, or `US` for those that are nationwide.
pub async fn list(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let limit = ask.limit(200, 500)?;
    let (state, after) = (ask.query("state").map(|state| state.to_ascii_uppercase()), ask.query("cursor"));
    let mut tx = tenant_tx(&app.read_pool, caller.tenant).await?;
    let mut found = book::page(&mut tx, caller.tenant, state.as_deref(), after.as_deref(), limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|sector| sector.slug.clone());
    let shown: Vec<Value> = found.iter().map(shape).collect();
    Ok(serve::json(StatusCode::OK, &json!({"sectors": shown, "hasMore": more, "nextCursor": next})))
}

/// One by id or slug, with how many leads a run from it would read.
pub async fn get(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let named: String = ask.id(0, "sector")?;
    let mut tx = tenant_tx(&app.read_pool, caller.tenant).await?;
    let sector = book::get(&mut tx, caller.tenant, &named).await?.ok_or_else(|| Problem::not_found("sector"))?;
    let mut body = shape(&sector);
    body["leads"] = leads::count_members(&mut tx, caller.tenant, sector.id).await?.into();
    Ok(serve::json(StatusCode::OK, &body))
}

pub async fn create(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json::<NewSector>().await?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let NewSector { slug, name, state, sic_codes, legacy_bucket_id } = body;
    let draft = Draft { slug, name, state, sic_codes, legacy_bucket_id };
    let outcome = |made: &book::Sector| json!({"httpStatus": 201, "sectorId": made.id, "slug": made.slug});
    let mut tx = app.engine_pool.begin().await?;
    let by = command.by(&caller);
    let receipt = |made: &book::Sector| command.receipt(digest, &outcome(made));
    let (made, position) = sectors::create(&mut tx, caller.tenant, &app.log, draft, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome(&made), position))
}

pub async fn update(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let named: String = ask.id(0, "sector")?;
    let (body, digest) = ask.json::<ChangedSector>().await?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let revision = Revision { name: body.name, state: body.state, sic_codes: body.sic_codes };
    let mut tx = app.engine_pool.begin().await?;
    let by = command.by(&caller);
    let receipt = |changed: &book::Sector| command.receipt(digest, &shape(changed));
    let (changed, position) = sectors::update(&mut tx, caller.tenant, &app.log, &named, revision, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&shape(&changed), position))
}
