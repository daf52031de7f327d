//! Table `saved_views`: pages of the dashboard with their filters, which a caller saved. They belong to the caller's key, which
//! is a person's, and are not part of the history.

use luci_schema::{KeyId, Micros, TenantId, ViewId};
use serde::Serialize;
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

/// Views that one caller may save; each list is short enough to be read whole.
pub const MAX_PER_KEY: i64 = 200;

/// A view as the API shows it. Times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedView {
    pub view_id: ViewId,
    pub name: String,
    /// `runs`
    pub page: String,
    /// The query of the page's address: `status=failed&sort=cost`.
    pub query: String,
    /// Whether all callers of the tenant see it.
    pub shared: bool,
    /// Whether the caller saved it.
    pub own: bool,
    pub created_at: String,
    pub updated_at: String,
}

/// A view to save.
#[derive(Debug, Clone)]
pub struct NewView<'a> {
    pub name: &'a str,
    pub page: &'a str,
    pub query: &'a str,
    pub shared: bool,
}

/// The caller's own views and those that others share, by name.
pub async fn list(c: &mut PgConnection, tenant: TenantId, key: KeyId) -> Result<Vec<SavedView>, sqlx::Error> {
    let rows = sqlx::query(
        "select id, name, page, query, shared, key_id = $2, created_at, updated_at from saved_views
          where tenant_id = $1 and (key_id = $2 or shared) order by page, name, id",
    )
    .bind(tenant)
    .bind(key)
    .fetch_all(c)
    .await?;
    rows.iter().map(read).collect()
}

/// Saves a view; one of the same page and name is replaced. `None`: the caller has too many.
pub async fn save(
    c: &mut PgConnection,
    tenant: TenantId,
    key: KeyId,
    new: &NewView<'_>,
) -> Result<Option<SavedView>, sqlx::Error> {
    let row = sqlx::query(
        "insert into saved_views (tenant_id, id, key_id, name, page, query, shared)
         select $1, $3, $2, $4, $5, $6, $7
          where exists (select from saved_views
                         where tenant_id = $1 and key_id = $2 and page = $5 and name = $4)
             or (select count(*) from saved_views where tenant_id = $1 and key_id = $2) < $8
         on conflict (tenant_id, key_id, page, name)
            do update set query = excluded.query, shared = excluded.shared, updated_at = now()
         returning id, name, page, query, shared, true, created_at, updated_at",
    )
    .bind(tenant)
    .bind(key)
    .bind(ViewId::generate())
    .bind(new.name)
    .bind(new.page)
    .bind(new.query)
    .bind(new.shared)
    .bind(MAX_PER_KEY)
    .fetch_optional(c)
    .await?;
    row.as_ref().map(read).transpose()
}

/// Removes a view: one's own, or with `any` also one that another caller shares. False: there is none.
pub async fn remove(
    c: &mut PgConnection,
    tenant: TenantId,
    key: KeyId,
    id: ViewId,
    any: bool,
) -> Result<bool, sqlx::Error> {
    let done =
        sqlx::query("delete from saved_views where tenant_id = $1 and id = $2 and (key_id = $3 or (shared and $4))")
            .bind(tenant)
            .bind(id)
            .bind(key)
            .bind(any)
            .execute(c)
            .await?;
    Ok(done.rows_affected() == 1)
}

fn read(row: &PgRow) -> Result<SavedView, sqlx::Error> {
    let time = |n: usize| Ok::<_, sqlx::Error>(Micros::from(row.try_get::<OffsetDateTime, _>(n)?).rfc3339());
    Ok(SavedView {
        view_id: row.try_get(0)?,
        name: row.try_get(1)?,
        page: row.try_get(2)?,
        query: row.try_get(3)?,
        shared: row.try_get(4)?,
        own: row.try_get(5)?,
        created_at: time(6)?,
        updated_at: time(7)?,
    })
}
