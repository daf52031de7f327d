//! A row of a send queue that this process has claimed, and where a refused one goes.

use std::time::Duration;

use luci_schema::{LeadId, Micros, RunId, TenantId};
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::rules::{carrier::Carrier, channel::SendKeys, send_id::SendId};

/// A send that this process alone may carry out. Numbers in E.164.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedSend {
    pub id: SendId,
    /// The run that queued it.
    pub run_id: RunId,
    pub lead_id: LeadId,
    pub to: String,
    pub from: String,
    pub content: SendContent,
    pub keys: SendKeys,
    pub carrier: Carrier,
    /// The fencing token: each claim of the row increases it.
    pub claim: i64,
    /// It was not sent before this time.
    pub queued_at: Micros,
    /// Attempts so far, this one included.
    pub attempts: i16,
    pub max_attempts: i16,
}

/// What a send carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendContent {
    Message { body: String, media_url: Option<String> },
    Call { extension: Option<String> },
}

impl ClaimedSend {
    /// Reads a whole row of a queue; `to` is the queue's column of the recipient's number.
    pub(super) fn read(row: &PgRow, id: SendId, to: &str, content: SendContent) -> Result<Self, sqlx::Error> {
        let carrier: Option<String> = row.try_get("provider")?;
        let carrier = carrier.unwrap_or_default().parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let (tenant, send_key): (TenantId, [u8; 32]) = (row.try_get("tenant_id")?, row.try_get("send_key")?);
        let number: String = row.try_get(to)?;
        let keys = SendKeys::of(tenant, id.channel(), send_key, &number, row.try_get("attempt_number")?);
        Ok(Self {
            id,
            run_id: row.try_get("run_id")?,
            lead_id: row.try_get("lead_id")?,
            to: number,
            keys,
            from: row.try_get::<Option<String>, _>("from_number")?.unwrap_or_default(),
            content,
            carrier,
            claim: row.try_get("claim")?,
            queued_at: row.try_get::<OffsetDateTime, _>("created_at")?.into(),
            attempts: row.try_get("attempts")?,
            max_attempts: row.try_get("max_attempts")?,
        })
    }
}

/// Where a claimed row goes whose send certainly did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release<'a> {
    pub(super) status: ReleasedStatus,
    /// Recorded as the row's `error_code`.
    pub(super) code: &'a str,
    /// Until it is due again.
    pub(super) wait: Duration,
    /// Attempts to subtract: 1 when this attempt does not count.
    pub(super) uncounted: i16,
}

/// The two states a released row can have; both queues name them alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReleasedStatus {
    Pending,
    Failed,
}

impl ReleasedStatus {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Failed => "failed",
        }
    }
}
