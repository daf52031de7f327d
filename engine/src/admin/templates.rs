//! Table `templates`: texts with variables, in versions. The object of a template holds all its texts; the row says which
//! is current, so that an object written ahead of its row means nothing.

use luci_schema::{
    ConfigEvent, Micros, Position, TemplateId, TenantId, Version,
    event::TemplatePublished,
    log::{Log, NewReceipt},
    object_key::{ObjectKey, Place, TemplateChannel},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use super::{
    AdminError, By,
    change::{Change, record},
};
use crate::storage::Storage;

/// Characters of one text.
const LONGEST: usize = 1_600;

/// A template as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    pub template_id: TemplateId,
    pub channel: String,
    pub name: String,
    pub version: u32,
    pub created_at: String,
    pub updated_at: String,
    #[serde(skip)]
    object_path: String,
    #[serde(skip)]
    checksum: Option<String>,
}

/// What is to be published: version 1 of a new template, or the next of an old one.
#[derive(Debug, Clone)]
pub struct Draft {
    pub id: Option<TemplateId>,
    pub channel: TemplateChannel,
    pub name: String,
    pub body: String,
}

/// One version's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Text {
    pub version: u32,
    pub body: String,
    pub created_at: String,
}

/// The object `templates/{channel}/{tpl_id}.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Texts {
    template_id: TemplateId,
    versions: Vec<Text>,
}

/// Publishes a version, inside the caller's transaction. The channel of a template never changes.
pub async fn publish(
    c: &mut PgConnection,
    storage: &Storage,
    tenant: TenantId,
    log: &Log,
    draft: Draft,
    by: &By,
    receipt: impl FnOnce(TemplateId, u32) -> Option<NewReceipt>,
) -> Result<(TemplateId, u32, Position), AdminError> {
    check(&draft)?;
    let id = draft.id.unwrap_or_else(TemplateId::generate);
    let key = ObjectKey::new(tenant, Place::Template { channel: draft.channel, template_id: id });
    let mut versions = match draft.id {
        None => Vec::new(),
        Some(id) => {
            let current = locked(c, tenant, id).await?.ok_or(AdminError::NotFound("template"))?;
            if current.channel != draft.channel.to_string() {
                return Err(AdminError::Invalid { field: "channel", reason: "the channel cannot change".into() });
            }
            texts(storage, &current).await?
        }
    };
    let version = u32::try_from(versions.len()).unwrap_or(u32::MAX) + 1;
    let checksum = hex::encode(Sha256::digest(draft.body.as_bytes()));
    versions.push(Text { version, body: draft.body, created_at: Micros::now().rfc3339() });
    let object = serde_json::to_vec(&Texts { template_id: id, versions });
    let object = object.map_err(|error| AdminError::Invalid { field: "body", reason: error.to_string() })?;
    storage.put(&key, object.into(), "application/json").await?;
    write(c, tenant, id, &draft.name, &key, version, &checksum, by).await?;
    let published = TemplatePublished {
        template_id: id,
        channel: draft.channel.to_string(),
        name: draft.name.trim().into(),
        version,
        object_path: key.to_string(),
        checksum,
    };
    let events = vec![ConfigEvent::TemplatePublished(published).into()];
    let change = Change::after(id, Version(u64::from(version) - 1), events).remembered(receipt(id, version));
    Ok((id, version, record(log, c, tenant, change, by).await?))
}

fn check(draft: &Draft) -> Result<(), AdminError> {
    if !(1..=200).contains(&draft.name.trim().chars().count()) {
        return Err(AdminError::Invalid { field: "name", reason: "1 to 200 characters".into() });
    }
    if draft.body.trim().is_empty() || draft.body.chars().count() > LONGEST {
        return Err(AdminError::Invalid { field: "body", reason: format!("1 to {LONGEST} characters") });
    }
    Ok(())
}

#[expect(clippy::too_many_arguments)]
async fn write(
    c: &mut PgConnection,
    tenant: TenantId,
    id: TemplateId,
    name: &str,
    key: &ObjectKey,
    version: u32,
    checksum: &str,
    by: &By,
) -> Result<(), sqlx::Error> {
    let Place::Template { channel, .. } = &key.place else { return Ok(()) };
    sqlx::query(
        "insert into templates (tenant_id, id, channel, name, object_path, version, checksum, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (tenant_id, id) do update
            set name = excluded.name, version = excluded.version, checksum = excluded.checksum, updated_at = now()",
    )
    .bind(tenant)
    .bind(id)
    .bind(channel.to_string())
    .bind(name.trim())
    .bind(key.to_string())
    .bind(i32::try_from(version).unwrap_or(i32::MAX))
    .bind(checksum)
    .bind(by.actor.to_string())
    .execute(c)
    .await?;
    Ok(())
}

const COLUMNS: &str = "select id, channel, name, version, created_at, updated_at, object_path, checksum from templates";

async fn locked(c: &mut PgConnection, tenant: TenantId, id: TemplateId) -> Result<Option<Template>, AdminError> {
    let sql = format!("{COLUMNS} where tenant_id = $1 and id = $2 and archived_at is null for update");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant).bind(id).fetch_optional(c).await?;
    row.map(|row| read(&row)).transpose()
}

pub async fn get(c: &mut PgConnection, tenant: TenantId, id: TemplateId) -> Result<Option<Template>, AdminError> {
    let sql = format!("{COLUMNS} where tenant_id = $1 and id = $2 and archived_at is null");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant).bind(id).fetch_optional(c).await?;
    row.map(|row| read(&row)).transpose()
}

/// The tenant's templates, newest first, at most 500.
pub async fn list(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<Template>, AdminError> {
    let sql = format!("{COLUMNS} where tenant_id = $1 and archived_at is null order by id desc limit 500");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant).fetch_all(c).await?;
    rows.iter().map(read).collect()
}

/// Every published text of a template, the first version first.
pub async fn texts(storage: &Storage, template: &Template) -> Result<Vec<Text>, AdminError> {
    let bytes = storage.get(&template.object_path).await?;
    let broken = |reason: String| AdminError::Invalid { field: "template", reason };
    let texts: Texts = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
    let mut versions = texts.versions;
    // What was written ahead of a transaction that never committed does not count.
    versions.retain(|text| text.version <= template.version);
    let current = versions.last().map(|text| hex::encode(Sha256::digest(text.body.as_bytes())));
    if current != template.checksum {
        return Err(broken("its object was changed behind LUCI's back".into()));
    }
    Ok(versions)
}

/// The current text of a template for text messages.
pub async fn text(
    c: &mut PgConnection,
    storage: &Storage,
    tenant: TenantId,
    id: TemplateId,
) -> Result<Text, AdminError> {
    let template = get(c, tenant, id).await?.filter(|template| template.channel == "sms");
    let template = template.ok_or(AdminError::NotFound("template"))?;
    texts(storage, &template).await?.pop().ok_or(AdminError::NotFound("template"))
}

fn read(row: &PgRow) -> Result<Template, AdminError> {
    let at = |index: usize| row.try_get::<OffsetDateTime, _>(index).map(|at| Micros::from(at).rfc3339());
    Ok(Template {
        template_id: row.try_get(0)?,
        channel: row.try_get(1)?,
        name: row.try_get(2)?,
        version: u32::try_from(row.try_get::<i32, _>(3)?).unwrap_or(1),
        created_at: at(4)?,
        updated_at: at(5)?,
        object_path: row.try_get(6)?,
        checksum: row.try_get(7)?,
    })
}
