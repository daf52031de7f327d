//! Records calls before they are made, and writes their answers; each kind together with those of other calls.

use luci_schema::{LeadId, LookupId, RunId, Stage, TenantId};
use sqlx::{PgConnection, PgPool};

pub use crate::group_writer::ResultWriterError;
use crate::{
    group_writer::{GroupWriter, GroupedWrite},
    results::{self, BegunCall, PaidAnswer, PaidCall, StoredCost},
};

/// One per process; clones share it.
#[derive(Debug, Clone)]
pub struct ResultWriter {
    begun: GroupWriter<BegunCall>,
    paid: GroupWriter<PaidCall>,
    pool: PgPool,
}

impl GroupedWrite for BegunCall {
    type Written = Vec<Option<PaidAnswer>>;

    fn rows(&self) -> usize {
        self.queries.len()
    }

    async fn execute(c: &mut PgConnection, writes: &[&Self]) -> Result<Vec<Self::Written>, sqlx::Error> {
        results::begin(c, writes).await
    }
}

impl GroupedWrite for PaidCall {
    type Written = Vec<StoredCost>;

    fn rows(&self) -> usize {
        self.answers.len()
    }

    async fn execute(c: &mut PgConnection, writes: &[&Self]) -> Result<Vec<Self::Written>, sqlx::Error> {
        results::store(c, writes).await
    }
}

impl ResultWriter {
    pub fn new(pool: PgPool) -> Self {
        Self { begun: GroupWriter::new(pool.clone()), paid: GroupWriter::new(pool.clone()), pool }
    }

    /// Returns when the call is recorded: the answers that are stored already, by position of the query.
    pub async fn begin(&self, call: BegunCall) -> Result<Vec<Option<PaidAnswer>>, ResultWriterError> {
        self.begun.write(call).await
    }

    /// The call is over without an answer to these queries, see `results::close`.
    pub async fn close(
        &self,
        lineage: (TenantId, RunId),
        stage: Stage,
        call: LookupId,
        queries: (&[(LeadId, &str)], u32),
    ) -> Result<(), sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        results::close(&mut connection, lineage, stage, call, queries).await
    }

    /// Returns when the answers are committed: their costs. They are written even when the caller stops waiting.
    pub async fn write(&self, call: PaidCall) -> Result<Vec<StoredCost>, ResultWriterError> {
        let provider = call.provider;
        let costs = self.paid.write(call).await?;
        let again: u64 = costs.iter().map(|cost| cost.again_micros).sum();
        if again > 0 {
            metrics::counter!("luci_provider_paid_again_micros_total", "provider" => provider).increment(again);
        }
        Ok(costs)
    }
}
