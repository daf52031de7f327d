//! A tenant's runs by status.

use luci_schema::TenantId;
use serde::Serialize;
use sqlx::PgConnection;

use super::table;
use crate::{query_error::QuestionError, status::RunStatus};

/// A tenant's runs by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunCounts {
    pub queued: u64,
    pub running: u64,
    pub paused: u64,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
}

impl RunCounts {
    pub const fn of(&self, status: RunStatus) -> u64 {
        match status {
            RunStatus::Queued => self.queued,
            RunStatus::Running => self.running,
            RunStatus::Paused => self.paused,
            RunStatus::Completed => self.completed,
            RunStatus::Failed => self.failed,
            RunStatus::Cancelled => self.cancelled,
        }
    }

    /// Runs that hold one of the tenant's slots; a paused run keeps its slot.
    pub const fn active(&self) -> u64 {
        self.running + self.paused
    }

    pub(super) fn of_mut(&mut self, status: RunStatus) -> &mut u64 {
        match status {
            RunStatus::Queued => &mut self.queued,
            RunStatus::Running => &mut self.running,
            RunStatus::Paused => &mut self.paused,
            RunStatus::Completed => &mut self.completed,
            RunStatus::Failed => &mut self.failed,
            RunStatus::Cancelled => &mut self.cancelled,
        }
    }
}

/// The tenant's runs by status, deleted ones left out.
pub async fn get(c: &mut PgConnection, tenant: TenantId) -> Result<RunCounts, QuestionError> {
    let mut counts = RunCounts::default();
    for row in table::load(c, &[tenant]).await? {
        *counts.of_mut(row.status) = row.runs;
    }
    Ok(counts)
}
