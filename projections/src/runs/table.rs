//! Table `pipeline_runs`: rows read and written. The name is unqualified: `search_path` says which version is meant.

use luci_schema::{RunId, Stage, TenantId, event::TriggerType};
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use time::OffsetDateTime;

use crate::{
    column::{bigint, column, count, count_or_null, json, json_or_null, parse, parse_or_null, texts},
    run_state::{RunRow, stages::StageSum},
};

const fn trigger_text(trigger: TriggerType) -> &'static str {
    match trigger {
        TriggerType::Manual => "manual",
        TriggerType::Automation => "automation",
        TriggerType::Webhook => "webhook",
        TriggerType::Scheduled => "scheduled",
        TriggerType::Replay => "replay",
    }
}

fn trigger(row: &PgRow) -> Result<TriggerType, sqlx::Error> {
    use TriggerType::{Automation, Manual, Replay, Scheduled, Webhook};
    let text: &str = row.try_get("trigger_type")?;
    let found = [Manual, Automation, Webhook, Scheduled, Replay].into_iter().find(|t| trigger_text(*t) == text);
    found.ok_or_else(|| sqlx::Error::Decode(format!("`{text}` is not a trigger type").into()))
}

impl sqlx::FromRow<'_, PgRow> for RunRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            run_id: row.try_get("run_id")?,
            tenant_id: row.try_get("tenant_id")?,
            sector_id: row.try_get("sector_id")?,
            sector_name: row.try_get("sector_name")?,
            pipeline_name: row.try_get("pipeline_name")?,
            blueprint_id: row.try_get("blueprint_id")?,
            blueprint_version: row.try_get("blueprint_version")?,
            status: parse(row, "status")?,
            progress: row.try_get("progress")?,
            current_stage: parse_or_null(row, "current_stage")?,
            total_leads: count(row, "total_leads")?,
            processed_leads: count(row, "processed_leads")?,
            created_at: row.try_get("created_at")?,
            started_at: row.try_get("started_at")?,
            completed_at: row.try_get("completed_at")?,
            deleted_at: row.try_get("deleted_at")?,
            triggered_by: parse(row, "triggered_by")?,
            trigger_type: trigger(row)?,
            correlation_id: row.try_get("correlation_id")?,
            parent_run_id: row.try_get("parent_run_id")?,
            replayed_from_run_id: row.try_get("replayed_from_run_id")?,
            cost_micros: count(row, "cost_micros")?,
            budget_micros: count_or_null(row, "budget_micros")?,
            error: json_or_null(row, "error")?,
            pause: json_or_null(row, "pause")?,
            failed_block: json_or_null(row, "failed_block")?,
            active_runs: row.try_get("active_runs")?,
            blocks: row.try_get("blocks")?,
            stages: json(row, "stages")?,
            version: row.try_get("version")?,
            position: row.try_get("position")?,
        })
    }
}

pub(super) async fn load(c: &mut PgConnection, ids: &[RunId]) -> Result<Vec<RunRow>, sqlx::Error> {
    sqlx::query_as("select * from pipeline_runs where run_id = any($1)").bind(ids).fetch_all(c).await
}

/// One run of a tenant; deleted ones too.
pub(super) async fn find(c: &mut PgConnection, tenant: TenantId, run: RunId) -> Result<Option<RunRow>, sqlx::Error> {
    sqlx::query_as("select * from pipeline_runs where tenant_id = $1 and run_id = $2")
        .bind(tenant)
        .bind(run)
        .fetch_optional(c)
        .await
}

/// Writes rows as they are now; each row once.
pub(super) async fn write(c: &mut PgConnection, rows: &[&RunRow]) -> Result<(), sqlx::Error> {
    let errors = texts(rows, |r| r.error.as_ref())?;
    let pauses = texts(rows, |r| r.pause.as_ref())?;
    let failed = texts(rows, |r| r.failed_block.as_ref())?;
    let stages = texts(rows, |r| Some(&r.stages))?;
    sqlx::query(
        "insert into pipeline_runs (run_id, tenant_id, sector_id, sector_name, pipeline_name, blueprint_id,
           blueprint_version, status, progress, current_stage, total_leads, processed_leads, created_at, started_at,
           completed_at, deleted_at, triggered_by, trigger_type, correlation_id, parent_run_id, replayed_from_run_id,
           cost_micros, budget_micros, error, pause, failed_block, active_runs, blocks, stages, version, position)
         select unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::text[]), unnest($5::text[]),
           unnest($6::text[]), unnest($7::int[]), unnest($8::text[]), unnest($9::smallint[]), unnest($10::text[]),
           unnest($11::bigint[]), unnest($12::bigint[]), unnest($13::timestamptz[]), unnest($14::timestamptz[]),
           unnest($15::timestamptz[]), unnest($16::timestamptz[]), unnest($17::text[]), unnest($18::text[]),
           unnest($19::text[]), unnest($20::text[]), unnest($21::text[]), unnest($22::bigint[]),
           unnest($23::bigint[]), unnest($24::text[])::json, unnest($25::text[])::json, unnest($26::text[])::json,
           unnest($27::int[]), unnest($28::int[]), unnest($29::text[])::json, unnest($30::bigint[]),
           unnest($31::bigint[])
         on conflict (run_id) do update set status = excluded.status, progress = excluded.progress,
           current_stage = excluded.current_stage, total_leads = excluded.total_leads,
           processed_leads = excluded.processed_leads, started_at = excluded.started_at,
           completed_at = excluded.completed_at, deleted_at = excluded.deleted_at, cost_micros = excluded.cost_micros,
           budget_micros = excluded.budget_micros, error = excluded.error, pause = excluded.pause, stages = excluded.stages,
           failed_block = excluded.failed_block, blocks = excluded.blocks, version = excluded.version, position = excluded.position",
    )
    .bind(column!(rows, |r| r.run_id))
    .bind(column!(rows, |r| r.tenant_id))
    .bind(column!(rows, |r| r.sector_id))
    .bind(column!(rows, |r| r.sector_name.as_deref()))
    .bind(column!(rows, |r| r.pipeline_name.as_str()))
    .bind(column!(rows, |r| r.blueprint_id))
    .bind(column!(rows, |r| r.blueprint_version))
    .bind(column!(rows, |r| r.status.as_str()))
    .bind(column!(rows, |r| r.progress))
    .bind(column!(rows, |r| r.current_stage.map(luci_schema::Stage::as_str)))
    .bind(column!(rows, |r| bigint(r.total_leads)))
    .bind(column!(rows, |r| bigint(r.processed_leads)))
    .bind(column!(rows, |r| r.created_at))
    .bind(column!(rows, |r| r.started_at))
    .bind(column!(rows, |r| r.completed_at))
    .bind(column!(rows, |r| r.deleted_at))
    .bind(column!(rows, |r| r.triggered_by.to_string()))
    .bind(column!(rows, |r| trigger_text(r.trigger_type)))
    .bind(column!(rows, |r| r.correlation_id))
    .bind(column!(rows, |r| r.parent_run_id))
    .bind(column!(rows, |r| r.replayed_from_run_id))
    .bind(column!(rows, |r| bigint(r.cost_micros)))
    .bind(column!(rows, |r| r.budget_micros.map(bigint)))
    .bind(errors)
    .bind(pauses)
    .bind(failed)
    .bind(column!(rows, |r| r.active_runs))
    .bind(column!(rows, |r| r.blocks))
    .bind(stages)
    .bind(column!(rows, |r| r.version))
    .bind(column!(rows, |r| r.position))
    .execute(c)
    .await?;
    Ok(())
}

/// Number and cost of the runs that were queued at or after `from` and before `to`.
pub(super) async fn cost(
    c: &mut PgConnection,
    tenant: TenantId,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> Result<(u64, u64), sqlx::Error> {
    let row = sqlx::query(
        "select count(*) as runs, coalesce(sum(cost_micros), 0)::bigint as cost_micros from pipeline_runs
          where tenant_id = $1 and created_at >= $2 and created_at < $3",
    )
    .bind(tenant)
    .bind(from)
    .bind(to)
    .fetch_one(c)
    .await?;
    Ok((count(&row, "runs")?, count(&row, "cost_micros")?))
}

/// Cost of the same runs by stage, without stages that cost nothing. At most one row per stage.
pub(super) async fn cost_by_stage(
    c: &mut PgConnection,
    tenant: TenantId,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> Result<Vec<(Stage, u64)>, sqlx::Error> {
    // `StageSum` leaves out a cost of 0.
    let rows = sqlx::query(
        "select s ->> 'stage' as stage, sum((s ->> 'costMicros')::bigint)::bigint as cost_micros
           from pipeline_runs, json_array_elements(stages) as s
          where tenant_id = $1 and created_at >= $2 and created_at < $3 and cost_micros > 0
            and (s ->> 'costMicros') is not null
          group by 1",
    )
    .bind(tenant)
    .bind(from)
    .bind(to)
    .fetch_all(c)
    .await?;
    rows.iter().map(|row| Ok((parse(row, "stage")?, count(row, "cost_micros")?))).collect()
}

/// A completed run, as far as estimates need it.
#[derive(Debug)]
pub(super) struct CompletedRun {
    pub(super) total_leads: u64,
    pub(super) started_at: OffsetDateTime,
    pub(super) completed_at: OffsetDateTime,
    pub(super) stages: Vec<StageSum>,
}

impl sqlx::FromRow<'_, PgRow> for CompletedRun {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            total_leads: count(row, "total_leads")?,
            started_at: row.try_get("started_at")?,
            completed_at: row.try_get("completed_at")?,
            stages: json(row, "stages")?,
        })
    }
}

/// The tenant's newest completed runs, newest first; deleted and empty ones left out.
pub(super) async fn newest_completed(
    c: &mut PgConnection,
    tenant: TenantId,
    limit: i64,
) -> Result<Vec<CompletedRun>, sqlx::Error> {
    sqlx::query_as(
        "select total_leads, started_at, completed_at, stages from pipeline_runs
          where tenant_id = $1 and deleted_at is null and completed_key < 'infinity' and status = 'completed'
            and started_at is not null and total_leads > 0
          order by completed_key desc, run_id desc limit $2",
    )
    .bind(tenant)
    .bind(limit)
    .fetch_all(c)
    .await
}
