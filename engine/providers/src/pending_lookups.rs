//! Queries on their way: which have an answer, and which are still to be called.

use std::collections::{HashMap, hash_map::Entry};

use luci_schema::LeadId;

use crate::{answer::Answer, error::ProviderError, lookup_api::LookupApi};

/// Queries, their digests, and the answers so far; all by position.
pub struct PendingLookups<'a, A: LookupApi> {
    pub queries: &'a [A::Query],
    pub digests: Vec<String>,
    pub answers: Vec<Option<Result<Answer<A::Match>, ProviderError>>>,
}

impl<A: LookupApi> PendingLookups<'_, A> {
    /// Positions without an answer; and duplicates (same lead, same digest), each with its first position.
    pub fn open(&self) -> (Vec<usize>, Vec<(usize, usize)>) {
        let mut first: HashMap<(LeadId, &str), usize> = HashMap::new();
        let (mut open, mut duplicates) = (Vec::new(), Vec::new());
        for n in (0..self.queries.len()).filter(|n| self.answers[*n].is_none()) {
            match first.entry((A::lead(&self.queries[n]), self.digests[n].as_str())) {
                Entry::Vacant(free) => open.push(*free.insert(n)),
                Entry::Occupied(first) => duplicates.push((n, *first.get())),
            }
        }
        (open, duplicates)
    }

    pub fn fail(&mut self, positions: &[usize], error: &ProviderError) {
        for n in positions {
            self.answers[*n] = Some(Err(error.clone()));
        }
    }
}
