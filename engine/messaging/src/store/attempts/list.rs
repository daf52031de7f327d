//! The attempt log as the API lists it.

use luci_schema::{AttemptId, LeadId, Micros, RunId, TenantId};
use serde_json::{Value, json};
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::rules::context::CampaignContext;

#[derive(Debug, Clone, Default)]
pub struct AttemptFilter {
    pub lead: Option<LeadId>,
    pub run: Option<RunId>,
    pub channel: Option<String>,
    pub status: Option<String>,
    /// The cursor: only attempts with a smaller id.
    pub before: Option<AttemptId>,
}

/// Attempts as JSON, each with its id, newest first.
pub async fn list(
    c: &mut PgConnection,
    tenant: TenantId,
    filter: &AttemptFilter,
    limit: u32,
) -> Result<Vec<(AttemptId, Value)>, sqlx::Error> {
    let rows = sqlx::query(
        "select * from attempt_logs
          where tenant_id = $1 and ($2::text is null or lead_id = $2) and ($3::text is null or run_id = $3)
            and ($4::text is null or channel = $4) and ($5::text is null or status = $5)
            and ($6::text is null or id < $6) order by id desc limit $7",
    )
    .bind(tenant)
    .bind(filter.lead)
    .bind(filter.run)
    .bind(&filter.channel)
    .bind(&filter.status)
    .bind(filter.before)
    .bind(i64::from(limit))
    .fetch_all(c)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, to_json(row)?))).collect()
}

fn to_json(row: &PgRow) -> Result<Value, sqlx::Error> {
    let text = |name: &str| row.try_get::<Option<String>, _>(name);
    let number = |name: &str| row.try_get::<Option<i32>, _>(name);
    let at =
        |name: &str| row.try_get::<Option<OffsetDateTime>, _>(name).map(|at| at.map(|at| Micros::from(at).rfc3339()));
    let context: String = row.try_get("context")?;
    let normalised =
        context.parse::<CampaignContext>().map_or(context.as_str(), |context| context.normalised().as_str());
    Ok(json!({
        "attemptId": text("id")?, "leadId": text("lead_id")?, "runId": text("run_id")?, "blockId": text("block_id")?,
        "campaignId": text("campaign_id")?, "campaignName": text("campaign_name")?, "queueId": text("queue_id")?,
        "channel": text("channel")?, "context": context, "normalisedContext": normalised,
        "attemptNumber": number("attempt_number")?, "previousAttempts": number("previous_attempts")?,
        "templateId": text("template_id")?, "templateVersion": number("template_version")?,
        "templateCategory": text("template_category")?, "agent": text("agent")?, "status": text("status")?,
        "segments": row.try_get::<Option<i16>, _>("segments")?,
        "contactMade": row.try_get::<bool, _>("contact_made")?, "responseText": text("response_text")?,
        "responseClass": text("response_class")?, "respondedAt": at("responded_at")?,
        "autoRetarget": row.try_get::<bool, _>("auto_retarget")?, "retargetAt": at("retarget_at")?,
        "approvalRequired": row.try_get::<bool, _>("approval_required")?, "approvedBy": text("approved_by")?,
        "approvedAt": at("approved_at")?, "provider": text("provider")?,
        "providerMessageId": text("provider_message_id")?, "providerStatus": text("provider_status")?,
        "errorCode": text("error_code")?, "errorMessage": text("error_message")?,
        "scheduledAt": at("scheduled_at")?, "sentAt": at("sent_at")?, "deliveredAt": at("delivered_at")?,
        "createdAt": at("created_at")?,
    }))
}
