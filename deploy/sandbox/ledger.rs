//! What was asked of the sandbox and what a real provider would have billed, person by person.

use std::collections::BTreeMap;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Calls that held this person and were worked on.
    pub asked: u32,
    /// Times this person was found.
    pub billed: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// HTTP calls by path, faulty ones included.
    pub calls: BTreeMap<&'static str, u64>,
    /// Sums over all people.
    pub asked: u64,
    pub billed: u64,
    /// `apollo:…` and `realestate:…`, the person as asked for.
    pub people: BTreeMap<String, Entry>,
    #[serde(skip)]
    most: usize,
}

impl Ledger {
    pub(super) fn new(most: usize) -> Self {
        Self { calls: BTreeMap::new(), asked: 0, billed: 0, people: BTreeMap::new(), most }
    }

    pub(super) fn call(&mut self, path: &'static str) {
        *self.calls.entry(path).or_default() += 1;
    }

    pub(super) fn asked(&mut self, provider: &str, person: &str, found: bool) {
        let billed = u32::from(found);
        self.asked += 1;
        self.billed += u64::from(billed);
        let person = format!("{provider}:{person}");
        if self.people.len() < self.most || self.people.contains_key(&person) {
            let entry = self.people.entry(person).or_default();
            entry.asked += 1;
            entry.billed += billed;
        }
    }

    /// People that were paid for more than once.
    pub fn billed_twice(&self) -> Vec<&str> {
        self.people.iter().filter(|(_, entry)| entry.billed > 1).map(|(person, _)| person.as_str()).collect()
    }
}
