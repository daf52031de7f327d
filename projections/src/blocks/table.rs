//! Table `block_executions`: rows read and written. The name is unqualified: `search_path` says which version is meant.

use luci_schema::{BlockId, Counts, RunId, Stage, TenantId};
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use time::OffsetDateTime;

use crate::{
    column::{bigint, column, count, json_or_null, parse, texts},
    run_state::{BlockDetail, BlockRow},
};

impl sqlx::FromRow<'_, PgRow> for BlockRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            block_id: row.try_get("block_id")?,
            tenant_id: row.try_get("tenant_id")?,
            run_id: row.try_get("run_id")?,
            block_number: row.try_get("block_number")?,
            total_blocks: row.try_get("total_blocks")?,
            sequence: row.try_get("sequence")?,
            stage: parse(row, "stage_name")?,
            provider: row.try_get("provider")?,
            status: parse(row, "status")?,
            attempt: row.try_get("attempt")?,
            retry_count: row.try_get("retry_count")?,
            retry_of: row.try_get("retry_of")?,
            counts: Counts {
                input: count(row, "input_count")?,
                success: count(row, "success_count")?,
                no_match: count(row, "no_match_count")?,
                failed: count(row, "failed_count")?,
                skipped: count(row, "skipped_count")?,
            },
            cost_micros: count(row, "cost_micros")?,
            input_artifact_id: row.try_get("input_artifact_id")?,
            output_artifact_id: row.try_get("output_artifact_id")?,
            output_version: row.try_get("output_version")?,
            completed_once: row.try_get("completed_once")?,
            queued_at: row.try_get("queued_at")?,
            started_at: row.try_get("started_at")?,
            completed_at: row.try_get("completed_at")?,
            error: json_or_null(row, "error")?,
            detail: json_or_null(row, "detail")?.unwrap_or_default(),
            version: row.try_get("version")?,
            position: row.try_get("position")?,
        })
    }
}

pub(super) async fn load(c: &mut PgConnection, ids: &[BlockId]) -> Result<Vec<BlockRow>, sqlx::Error> {
    sqlx::query_as("select * from block_executions where block_id = any($1)").bind(ids).fetch_all(c).await
}

/// Writes rows as they are now; each row once.
pub(super) async fn write(c: &mut PgConnection, rows: &[&BlockRow]) -> Result<(), sqlx::Error> {
    let empty = BlockDetail::default();
    let details = texts(rows, |b| Some(&b.detail).filter(|detail| **detail != empty))?;
    let errors = texts(rows, |b| b.error.as_ref())?;
    sqlx::query(
        "insert into block_executions (block_id, tenant_id, run_id, block_number, total_blocks, sequence, stage_name,
           provider, status, attempt, retry_count, retry_of, input_count, success_count, no_match_count, failed_count,
           skipped_count, cost_micros, input_artifact_id, output_artifact_id, output_version, completed_once, queued_at,
           started_at, completed_at, error, detail, version, position)
         select unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::int[]), unnest($5::int[]),
           unnest($6::int[]), unnest($7::text[]), unnest($8::text[]), unnest($9::text[]), unnest($10::int[]),
           unnest($11::int[]), unnest($12::text[]), unnest($13::bigint[]), unnest($14::bigint[]),
           unnest($15::bigint[]), unnest($16::bigint[]), unnest($17::bigint[]), unnest($18::bigint[]),
           unnest($19::text[]), unnest($20::text[]), unnest($21::int[]), unnest($22::bool[]),
           unnest($23::timestamptz[]), unnest($24::timestamptz[]), unnest($25::timestamptz[]),
           unnest($26::text[])::json, unnest($27::text[])::json, unnest($28::bigint[]), unnest($29::bigint[])
         on conflict (block_id) do update set total_blocks = excluded.total_blocks, provider = excluded.provider,
           status = excluded.status, attempt = excluded.attempt, retry_count = excluded.retry_count,
           input_count = excluded.input_count, success_count = excluded.success_count,
           no_match_count = excluded.no_match_count, failed_count = excluded.failed_count,
           skipped_count = excluded.skipped_count, cost_micros = excluded.cost_micros,
           output_artifact_id = excluded.output_artifact_id, output_version = excluded.output_version,
           completed_once = excluded.completed_once, queued_at = excluded.queued_at, started_at = excluded.started_at,
           completed_at = excluded.completed_at, error = excluded.error, detail = excluded.detail,
           version = excluded.version, position = excluded.position",
    )
    .bind(column!(rows, |b| b.block_id))
    .bind(column!(rows, |b| b.tenant_id))
    .bind(column!(rows, |b| b.run_id))
    .bind(column!(rows, |b| b.block_number))
    .bind(column!(rows, |b| b.total_blocks))
    .bind(column!(rows, |b| b.sequence))
    .bind(column!(rows, |b| b.stage.as_str()))
    .bind(column!(rows, |b| b.provider.as_deref()))
    .bind(column!(rows, |b| b.status.as_str()))
    .bind(column!(rows, |b| b.attempt))
    .bind(column!(rows, |b| b.retry_count))
    .bind(column!(rows, |b| b.retry_of))
    .bind(column!(rows, |b| bigint(b.counts.input)))
    .bind(column!(rows, |b| bigint(b.counts.success)))
    .bind(column!(rows, |b| bigint(b.counts.no_match)))
    .bind(column!(rows, |b| bigint(b.counts.failed)))
    .bind(column!(rows, |b| bigint(b.counts.skipped)))
    .bind(column!(rows, |b| bigint(b.cost_micros)))
    .bind(column!(rows, |b| b.input_artifact_id))
    .bind(column!(rows, |b| b.output_artifact_id))
    .bind(column!(rows, |b| b.output_version))
    .bind(column!(rows, |b| b.completed_once))
    .bind(column!(rows, |b| b.queued_at))
    .bind(column!(rows, |b| b.started_at))
    .bind(column!(rows, |b| b.completed_at))
    .bind(errors)
    .bind(details)
    .bind(column!(rows, |b| b.version))
    .bind(column!(rows, |b| b.position))
    .execute(c)
    .await?;
    Ok(())
}

/// Failed and running blocks, at most `open`, and the newest `others`; newest first. The limits bound the scan of
/// `blocks_by_run`: running blocks are near its start.
pub(crate) async fn open_and_newest(
    c: &mut PgConnection,
    tenant: TenantId,
    run: RunId,
    open: i64,
    others: i64,
) -> Result<Vec<BlockRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from (
           (select * from block_executions where tenant_id = $1 and run_id = $2 and status in ('failed', 'running')
            order by sequence desc limit $3)
           union all
           (select * from block_executions where tenant_id = $1 and run_id = $2 and status not in ('failed', 'running')
            order by sequence desc limit $4)
         ) as notable order by sequence desc",
    )
    .bind(tenant)
    .bind(run)
    .bind(open)
    .bind(others)
    .fetch_all(c)
    .await
}

/// A page of a run's blocks below `before`, newest first.
pub(super) async fn below(
    c: &mut PgConnection,
    tenant: TenantId,
    run: RunId,
    stage: Option<Stage>,
    status: Option<&str>,
    before: i32,
    limit: i64,
) -> Result<Vec<BlockRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from block_executions where tenant_id = $1 and run_id = $2 and sequence < $3
           and ($4::text is null or stage_name = $4) and ($5::text is null or status = $5)
         order by sequence desc limit $6",
    )
    .bind(tenant)
    .bind(run)
    .bind(before)
    .bind(stage.map(Stage::as_str))
    .bind(status)
    .bind(limit)
    .fetch_all(c)
    .await
}

/// Start, end and input leads of the newest completed blocks, for the speed of a run.
pub(crate) async fn recent_completions(
    c: &mut PgConnection,
    tenant: TenantId,
    run: RunId,
    limit: i64,
) -> Result<Vec<(Stage, OffsetDateTime, OffsetDateTime, u64)>, sqlx::Error> {
    let rows = sqlx::query(
        "select stage_name, coalesce(started_at, completed_at) as started_at, completed_at, input_count
         from block_executions
         where tenant_id = $1 and run_id = $2 and status = 'completed' and completed_at is not null
         order by sequence desc limit $3",
    )
    .bind(tenant)
    .bind(run)
    .bind(limit)
    .fetch_all(c)
    .await?;
    let read = |row: &PgRow| {
        Ok((
            parse(row, "stage_name")?,
            row.try_get("started_at")?,
            row.try_get("completed_at")?,
            count(row, "input_count")?,
        ))
    };
    rows.iter().map(read).collect()
}
