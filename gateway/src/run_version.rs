//! Which version a run, or another stream, had at a position of the log, or at a time.

use luci_schema::{Micros, Position, Recorded, RunId, StreamId, TenantId, Version};

use crate::{App, problem::Problem};

/// The version that a stream had at a position.
pub async fn version_at(
    app: &App,
    tenant: TenantId,
    stream: impl Into<StreamId>,
    at: Position,
    newest: Version,
) -> Result<Version, Problem> {
    newest_where(app, (tenant, stream.into()), newest, |recorded| recorded.position <= at).await
}

/// The version that a run had at a time.
pub async fn version_at_time(
    app: &App,
    tenant: TenantId,
    run: RunId,
    at: Micros,
    newest: Version,
) -> Result<Version, Problem> {
    newest_where(app, (tenant, run.into()), newest, |recorded| recorded.recorded_at <= at).await
}

/// A binary search over the stream, which is ordered by version, position and time.
async fn newest_where(
    app: &App,
    (tenant, stream): (TenantId, StreamId),
    newest: Version,
    included: impl Fn(&Recorded) -> bool,
) -> Result<Version, Problem> {
    let (mut low, mut high) = (0, newest.0);
    while low < high {
        let middle = low + (high - low) / 2;
        match app.log.read_stream(tenant, stream, Version(middle), 1).await?.first() {
            Some(recorded) if included(recorded) => low = recorded.version.0,
            _ => high = middle,
        }
    }
    Ok(Version(low))
}
