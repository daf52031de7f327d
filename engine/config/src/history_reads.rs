//! Table `history_reads`: which auditor read which history, so that the tenant can see who looked.

use luci_schema::{ActorId, StreamId, TenantId};
use sqlx::PgConnection;

/// Records a reading: its first page, or a bundle. The pages after it are part of the same reading.
pub async fn add(
    c: &mut PgConnection,
    tenant: TenantId,
    actor: ActorId,
    stream: StreamId,
    what: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into history_reads (tenant_id, actor, stream_id, what) values ($1, $2, $3, $4)")
        .bind(tenant)
        .bind(format!("actor:{actor}"))
        .bind(stream.to_string())
        .bind(what)
        .execute(c)
        .await?;
    Ok(())
}
