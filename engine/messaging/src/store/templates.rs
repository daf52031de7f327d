//! Table `templates`: texts with variables, in versions. A template's object holds the texts of all versions; its row says
//! which version is current, so a version that was written to the object but never committed does not count.

use luci_config::{
    AdminError, By,
    change::{Change, record},
};
use luci_schema::{
    ConfigEvent, Micros, Position, TemplateId, TenantId, Version,
    event::TemplatePublished,
    log::{Log, NewReceipt},
    object_key::{ObjectKey, ObjectLocation, TemplateChannel},
};
use luci_storage::Storage;
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

/// Characters of one text.
const MAX_CHARS: usize = 1_600;

/// A template as the API lists it. Times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    pub template_id: TemplateId,
    #[serde(serialize_with = "as_text")]
    pub channel: TemplateChannel,
    pub name: String,
    pub version: u32,
    pub created_at: String,
    pub updated_at: String,
    #[serde(skip)]
    object_path: String,
    #[serde(skip)]
    checksum: Option<String>,
}

fn as_text<S: Serializer>(channel: &TemplateChannel, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(channel)
}

/// A version to publish.
#[derive(Debug, Clone)]
pub struct TemplateDraft {
    /// None: a new template.
    pub id: Option<TemplateId>,
    pub channel: TemplateChannel,
    pub name: String,
    pub body: String,
}

/// One version's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateText {
    pub version: u32,
    pub body: String,
    pub created_at: String,
}

/// The object `templates/{channel}/{tpl_id}.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TemplateObject {
    template_id: TemplateId,
    versions: Vec<TemplateText>,
}

/// Publishes a version, inside the caller's transaction: version 1 of a new template, or the next version of an existing
/// one, whose channel cannot change. `receipt` gets the template's id and version.
pub async fn publish(
    c: &mut PgConnection,
    storage: &Storage,
    tenant: TenantId,
    log: &Log,
    draft: TemplateDraft,
    by: &By,
    receipt: impl FnOnce(TemplateId, u32) -> Option<NewReceipt>,
) -> Result<(TemplateId, u32, Position), AdminError> {
    check(&draft)?;
    let id = draft.id.unwrap_or_else(TemplateId::generate);
    let key = ObjectKey::new(tenant, ObjectLocation::Template { channel: draft.channel, template_id: id });
    let mut versions = match draft.id {
        None => Vec::new(),
        Some(id) => {
            let current = lock(c, tenant, id).await?.ok_or(AdminError::NotFound("template"))?;
            if current.channel != draft.channel {
                return Err(AdminError::Invalid { field: "channel", reason: "the channel cannot change".into() });
            }
            texts(storage, &current).await?
        }
    };
    let version = u32::try_from(versions.len()).unwrap_or(u32::MAX) + 1;
    let checksum = hex::encode(Sha256::digest(draft.body.as_bytes()));
    versions.push(TemplateText { version, body: draft.body, created_at: Micros::now().rfc3339() });
    let object = serde_json::to_vec(&TemplateObject { template_id: id, versions });
    let object = object.map_err(|error| AdminError::Invalid { field: "body", reason: error.to_string() })?;
    storage.put(&key, object.into(), "application/json").await?;
    let row = NewVersion {
        id,
        channel: draft.channel,
        name: draft.name.trim(),
        object_path: &key.to_string(),
        version,
        checksum: &checksum,
    };
    upsert(c, tenant, row, by).await?;
    let published = TemplatePublished {
        template_id: id,
        channel: draft.channel.to_string(),
        name: draft.name.trim().into(),
        version,
        object_path: key.to_string(),
        checksum,
    };
    let events = vec![ConfigEvent::TemplatePublished(published).into()];
    let change = Change::after(id, Version(u64::from(version) - 1), events).with_receipt(receipt(id, version));
    Ok((id, version, record(log, c, tenant, change, by).await?))
}

fn check(draft: &TemplateDraft) -> Result<(), AdminError> {
    if !(1..=200).contains(&draft.name.trim().chars().count()) {
        return Err(AdminError::Invalid { field: "name", reason: "1 to 200 characters".into() });
    }
    if draft.body.trim().is_empty() || draft.body.chars().count() > MAX_CHARS {
        return Err(AdminError::Invalid { field: "body", reason: format!("1 to {MAX_CHARS} characters") });
    }
    Ok(())
}

struct NewVersion<'a> {
    id: TemplateId,
    channel: TemplateChannel,
    name: &'a str,
    object_path: &'a str,
    version: u32,
    checksum: &'a str,
}

async fn upsert(c: &mut PgConnection, tenant: TenantId, row: NewVersion<'_>, by: &By) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into templates (tenant_id, id, channel, name, object_path, version, checksum, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (tenant_id, id) do update
            set name = excluded.name, version = excluded.version, checksum = excluded.checksum, updated_at = now()",
    )
    .bind(tenant)
    .bind(row.id)
    .bind(row.channel.to_string())
    .bind(row.name)
    .bind(row.object_path)
    .bind(i32::try_from(row.version).unwrap_or(i32::MAX))
    .bind(row.checksum)
    .bind(by.actor.to_string())
    .execute(c)
    .await?;
    Ok(())
}

const SELECT: &str = "select id, channel, name, version, created_at, updated_at, object_path, checksum from templates";

async fn lock(c: &mut PgConnection, tenant: TenantId, id: TemplateId) -> Result<Option<Template>, AdminError> {
    let sql = format!("{SELECT} where tenant_id = $1 and id = $2 and archived_at is null for update");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant).bind(id).fetch_optional(c).await?;
    row.map(|row| read(&row)).transpose()
}

pub async fn get(c: &mut PgConnection, tenant: TenantId, id: TemplateId) -> Result<Option<Template>, AdminError> {
    let sql = format!("{SELECT} where tenant_id = $1 and id = $2 and archived_at is null");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant).bind(id).fetch_optional(c).await?;
    row.map(|row| read(&row)).transpose()
}

/// The tenant's templates, newest first, at most 500.
pub async fn list(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<Template>, AdminError> {
    let sql = format!("{SELECT} where tenant_id = $1 and archived_at is null order by id desc limit 500");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant).fetch_all(c).await?;
    rows.iter().map(read).collect()
}

/// The texts of all published versions, version 1 first. `Invalid`: the object is not what was published.
pub async fn texts(storage: &Storage, template: &Template) -> Result<Vec<TemplateText>, AdminError> {
    let bytes = storage.get(&template.object_path).await?;
    let broken = |reason: String| AdminError::Invalid { field: "template", reason };
    let object: TemplateObject = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
    let mut versions = object.versions;
    // A version that was written before its transaction failed to commit does not count.
    versions.retain(|text| text.version <= template.version);
    let current = versions.last().map(|text| hex::encode(Sha256::digest(text.body.as_bytes())));
    if current != template.checksum {
        return Err(broken("its stored object does not match the recorded checksum".into()));
    }
    Ok(versions)
}

/// The current text of a template for text messages.
pub async fn text(
    c: &mut PgConnection,
    storage: &Storage,
    tenant: TenantId,
    id: TemplateId,
) -> Result<TemplateText, AdminError> {
    let template = get(c, tenant, id).await?.filter(|template| template.channel == TemplateChannel::Sms);
    let template = template.ok_or(AdminError::NotFound("template"))?;
    texts(storage, &template).await?.pop().ok_or(AdminError::NotFound("template"))
}

fn read(row: &PgRow) -> Result<Template, AdminError> {
    let at = |index: usize| row.try_get::<OffsetDateTime, _>(index).map(|at| Micros::from(at).rfc3339());
    Ok(Template {
        template_id: row.try_get(0)?,
        channel: row.try_get::<&str, _>(1)?.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        name: row.try_get(2)?,
        version: u32::try_from(row.try_get::<i32, _>(3)?).unwrap_or(1),
        created_at: at(4)?,
        updated_at: at(5)?,
        object_path: row.try_get(6)?,
        checksum: row.try_get(7)?,
    })
}
