//! An erasure that is to be carried out, for the first time or again.

use luci_schema::{ErasureId, Micros, TenantId, event::ErasedObject};
use serde::{Deserialize, Serialize};

use super::{
    hashed::HashedPerson,
    person::{Named, Person},
};

/// An erasure that is to be carried out.
pub(super) struct PendingErasure {
    pub tenant: TenantId,
    pub id: ErasureId,
    pub named_by: String,
    pub requested_by: String,
    pub requested_at: Micros,
    pub who: Who,
    pub person: Person,
}

impl PendingErasure {
    pub fn is_repeated(&self) -> bool {
        matches!(self.who, Who::Hashed(_))
    }
}

/// How the person of an erasure is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Who {
    Named(Named),
    /// After a restore.
    Hashed(Box<Repeated>),
}

/// An erasure that is carried out again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Repeated {
    pub person: HashedPerson,
    /// Replaced the first time, and not in the store.
    pub objects: Vec<ErasedObject>,
    /// Whether events say that it is repeated.
    pub recorded: bool,
}
