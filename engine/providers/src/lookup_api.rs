//! The trait that each API of a provider implements, and what its users have in common.

use std::future::Future;

use luci_schema::{FailureCode, LeadId, Stage};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{
    call::{Caller, Charge},
    error::ProviderError,
    name::ProviderName,
    price::Price,
    reason::Reason,
};

/// An adapter's answer for one query: what was found, that nothing was (`None`), or why there is no answer.
pub type LookupOutcome<M> = Result<Option<M>, ProviderError>;

/// One API of a provider.
pub trait LookupApi: Send + Sync + 'static {
    const PROVIDER: ProviderName;
    type Query: Serialize + Sync;
    type Match: Serialize + DeserializeOwned + Clone + Send + Sync;
    const PRICE: Price;
    const STAGE: Stage;
    /// Whether a call that was begun is found again by the next one of its lineage, and not paid twice.
    const RESUMES: bool = false;

    fn new(caller: Caller) -> Self;
    fn lead(query: &Self::Query) -> LeadId;
    /// How many of the `remaining` queries go into the next call.
    fn batch(remaining: usize) -> usize;
    /// One call for all queries of a batch: an outcome for each, in their order, or one error for all.
    fn call(
        &self,
        charge: Charge<'_>,
        queries: &[&Self::Query],
    ) -> impl Future<Output = Result<Vec<LookupOutcome<Self::Match>>, ProviderError>> + Send;
}

/// SHA-256 (lower hex) of a query, which leaves out its lead.
pub(super) fn digest<A: LookupApi>(query: &A::Query) -> String {
    let mut hash = Sha256::new();
    hash.update(A::PRICE.provider);
    hash.update([0x1f]);
    // Fields stand in the order of the struct; none of them can fail.
    hash.update(serde_json::to_vec(query).unwrap_or_default());
    hex::encode(hash.finalize())
}

pub(super) fn not_called<A: LookupApi>(code: FailureCode, reason: Reason) -> ProviderError {
    ProviderError::new(A::PROVIDER, code, reason).not_made()
}

/// The database failed before the call.
pub(super) fn database_failed<A: LookupApi>(cause: &sqlx::Error) -> ProviderError {
    let error = not_called::<A>(FailureCode::Internal, Reason::AnswersUnreadable);
    ProviderError { detail: Some(cause.to_string()), ..error }
}
