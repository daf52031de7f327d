//! On whose behalf providers are called, and what comes back.

use luci_schema::{ArtifactId, RunId, TenantId, event::RunPrices};
use tokio_util::sync::CancellationToken;

use crate::error::ProviderError;

/// On whose behalf providers are called.
#[derive(Debug, Clone, Copy)]
pub struct LookupContext<'a> {
    pub tenant: TenantId,
    /// The first run of the lineage: its stored answers are used.
    pub root_run: RunId,
    /// The release of the calling block: the artifact id in its `block:queued`. Redeliveries have the same one, so an answer's
    /// cost is reported once.
    pub release: ArtifactId,
    pub prices: &'a RunPrices,
    /// The block's: storing a paid answer is retried until it is cancelled.
    pub stop: &'a CancellationToken,
}

/// A paid answer; `found` is `None` when the provider has no match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    pub found: Option<T>,
    pub cost_micros: u64,
    /// The release of the block that paid; `None` of answers stored before releases were.
    pub paid_by: Option<ArtifactId>,
    /// SHA-256 (lower hex) of the query: two rows of one lead with the same digest are one query.
    pub request_digest: String,
}

impl<T> Answer<T> {
    /// The cost that this release has to report.
    pub fn cost_to(&self, release: ArtifactId) -> u64 {
        if self.paid_by == Some(release) { self.cost_micros } else { 0 }
    }
}

pub type Answers<T> = Vec<Result<Answer<T>, ProviderError>>;
