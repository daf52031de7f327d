//! Which version a run had at a position of the log.

use luci_schema::{Position, RunId, TenantId, Version};

use crate::{App, problem::Problem};

/// The version that a run had at a position: a binary search over its stream, which is ordered by both.
pub async fn version_at(
    app: &App,
    tenant: TenantId,
    run: RunId,
    at: Position,
    newest: Version,
) -> Result<Version, Problem> {
    let (mut low, mut high) = (0, newest.0);
    while low < high {
        let middle = low + (high - low) / 2;
        match app.log.read_stream(tenant, run.into(), Version(middle), 1).await?.first() {
            Some(recorded) if recorded.position <= at => low = recorded.version.0,
            _ => high = middle,
        }
    }
    Ok(Version(low))
}
