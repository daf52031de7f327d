//! Table `read_versions`: the two versions of the read tables, and which of them serves.

use luci_schema::Position;
use sqlx::{PgConnection, Row as _};

use crate::column::bigint;

/// The version that serves, `read_a` or `read_b`.
pub async fn serving(c: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("select version from public.read_versions where serving").fetch_one(c).await
}

/// The version that serves, and the other one.
pub(crate) async fn both(c: &mut PgConnection) -> Result<(String, String), sqlx::Error> {
    let sql =
        "select min(version) filter (where serving), min(version) filter (where not serving) from public.read_versions";
    let row = sqlx::query(sql).fetch_one(c).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Records the position at which a version began to serve, or up to which it is rebuilt.
pub(crate) async fn set_position(c: &mut PgConnection, version: &str, position: Position) -> Result<(), sqlx::Error> {
    let sql = "update public.read_versions set position = $2 where version = $1";
    sqlx::query(sql).bind(version).bind(bigint(position.0)).execute(c).await.map(drop)
}

/// Empties a version for a rebuild by this fold.
pub(crate) async fn begin_rebuild(c: &mut PgConnection, version: &str, fold: &str) -> Result<(), sqlx::Error> {
    sqlx::query("select public.read_clear($1)").bind(version).execute(&mut *c).await?;
    let sql = "update public.read_versions set rebuilding = $2 where version = $1";
    sqlx::query(sql).bind(version).bind(fold).execute(c).await.map(drop)
}

/// The position up to which this fold has rebuilt the version, if it began to.
pub(crate) async fn unfinished(
    c: &mut PgConnection,
    version: &str,
    fold: &str,
) -> Result<Option<Position>, sqlx::Error> {
    let sql = "select position from public.read_versions where version = $1 and rebuilding = $2";
    let position: Option<i64> = sqlx::query_scalar(sql).bind(version).bind(fold).fetch_optional(c).await?;
    Ok(position.map(|position| Position(position.unsigned_abs())))
}

/// The next rebuild of the version begins again.
pub(crate) async fn end_rebuild(c: &mut PgConnection, version: &str) -> Result<(), sqlx::Error> {
    let sql = "update public.read_versions set rebuilding = null where version = $1";
    sqlx::query(sql).bind(version).execute(c).await.map(drop)
}

/// Takes the snapshot of a transaction that has read nothing yet.
pub(crate) async fn take_snapshot(c: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("select count(*) from public.read_versions").execute(c).await.map(drop)
}
