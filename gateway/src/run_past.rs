//! A run as it was at a version: its stream folded page by page, from the newest stored state before that version.

use luci_projections::runs::{PAST_RUN_FOLD, PastRun, RunDetail};
use luci_schema::{
    RunId, TenantId, Version,
    log::{SnapshotOf, Snapshots},
};

use crate::{App, problem::Problem};

/// Events read from the log at once.
const PAGE: u64 = 500;

/// `None`: the run had no event.
pub async fn at_version(app: &App, tenant: TenantId, run: RunId, at: Version) -> Result<Option<RunDetail>, Problem> {
    let _turn = app.heavy_reads.begin(tenant).await?;
    let of = SnapshotOf { tenant, stream: run.into(), fold: PAST_RUN_FOLD };
    let stored = app.snapshots.find::<PastRun>(&app.log, of, at).await?;
    let stored = stored.filter(|(version, past)| past.version() == *version).map(|(_, past)| past);
    let mut past = stored.unwrap_or_default();
    while past.version() < at {
        let most = PAGE.min(at.0 - past.version().0) as usize;
        let page = app.log.read_stream(tenant, run.into(), past.version(), most).await?;
        let Some(last) = page.last() else { break };
        let before = past.version();
        for event in &page {
            past.apply(event).map_err(|error| Problem::internal(&error))?;
        }
        if Snapshots::due(before, past.version()) {
            app.snapshots.store(&app.log, of, past.version(), last.hash, &past).await;
        }
    }
    Ok(past.detail())
}
