//! Table `pipeline_runs`: rows read and written. Names are unqualified: `search_path` says which version is meant.

use luci_schema::{RunId, event::TriggerType};
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::RunRow;
use crate::{
    Projection,
    column::{big, column, count, json, json_or_null, texts, word, word_or_null},
    projection,
};

const TRIGGERS: [(TriggerType, &str); 5] = [
    (TriggerType::Manual, "manual"),
    (TriggerType::Automation, "automation"),
    (TriggerType::Webhook, "webhook"),
    (TriggerType::Scheduled, "scheduled"),
    (TriggerType::Replay, "replay"),
];

fn trigger_word(trigger: TriggerType) -> &'static str {
    TRIGGERS.iter().find(|(t, _)| *t == trigger).map_or("manual", |(_, word)| word)
}

fn trigger(row: &PgRow) -> Result<TriggerType, sqlx::Error> {
    let text: &str = row.try_get("trigger_type")?;
    let known = TRIGGERS.iter().find(|(_, word)| *word == text).map(|(t, _)| *t);
    known.ok_or_else(|| sqlx::Error::Decode(format!("`{text}` is not a trigger type").into()))
}

pub(crate) const PROJECTION: Projection = projection!("pipeline_runs", "run_id");

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
            status: word(row, "status")?,
            progress: row.try_get("progress")?,
            current_stage: word_or_null(row, "current_stage")?,
            total_leads: count(row, "total_leads")?,
            processed_leads: count(row, "processed_leads")?,
            created_at: row.try_get("created_at")?,
            started_at: row.try_get("started_at")?,
            completed_at: row.try_get("completed_at")?,
            deleted_at: row.try_get("deleted_at")?,
            triggered_by: word(row, "triggered_by")?,
            trigger_type: trigger(row)?,
            correlation_id: row.try_get("correlation_id")?,
            parent_run_id: row.try_get("parent_run_id")?,
            replayed_from_run_id: row.try_get("replayed_from_run_id")?,
            cost_micros: count(row, "cost_micros")?,
            budget_micros: row.try_get::<Option<i64>, _>("budget_micros")?.and_then(|n| u64::try_from(n).ok()),
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

pub(crate) async fn load(c: &mut PgConnection, ids: &[RunId]) -> Result<Vec<RunRow>, sqlx::Error> {
    sqlx::query_as("select * from pipeline_runs where run_id = any($1)").bind(ids).fetch_all(c).await
}

/// One run of a tenant; deleted ones too.
pub(super) async fn find(
    c: &mut PgConnection,
    tenant: luci_schema::TenantId,
    run: RunId,
) -> Result<Option<RunRow>, sqlx::Error> {
    sqlx::query_as("select * from pipeline_runs where tenant_id = $1 and run_id = $2")
        .bind(tenant)
        .bind(run)
        .fetch_optional(c)
        .await
}

/// Writes rows as they are now; each row once.
pub(crate) async fn write(c: &mut PgConnection, rows: &[&RunRow]) -> Result<(), sqlx::Error> {
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
    .bind(column!(rows, |r| big(r.total_leads)))
    .bind(column!(rows, |r| big(r.processed_leads)))
    .bind(column!(rows, |r| r.created_at))
    .bind(column!(rows, |r| r.started_at))
    .bind(column!(rows, |r| r.completed_at))
    .bind(column!(rows, |r| r.deleted_at))
    .bind(column!(rows, |r| r.triggered_by.to_string()))
    .bind(column!(rows, |r| trigger_word(r.trigger_type)))
    .bind(column!(rows, |r| r.correlation_id))
    .bind(column!(rows, |r| r.parent_run_id))
    .bind(column!(rows, |r| r.replayed_from_run_id))
    .bind(column!(rows, |r| big(r.cost_micros)))
    .bind(column!(rows, |r| r.budget_micros.map(big)))
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
