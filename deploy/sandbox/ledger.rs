//! What was asked of the sandbox and what a real provider would have billed, person by person.

use std::collections::BTreeMap;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Calls that held this person, whatever came of them.
    pub sent: u32,
    /// Calls that held this person and were worked on.
    pub asked: u32,
    /// Times this person was found.
    pub billed: u32,
}

/// Sums of one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sums {
    /// HTTP calls, faulty ones included.
    pub calls: u64,
    /// Calls that met a fault.
    pub faults: u64,
    pub asked: u64,
    pub billed: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// HTTP calls by path, faulty ones included.
    pub calls: BTreeMap<&'static str, u64>,
    pub providers: BTreeMap<&'static str, Sums>,
    /// Sums over all people.
    pub asked: u64,
    pub billed: u64,
    /// `apollo:…` and `realestate:…`, the person as asked for.
    pub people: BTreeMap<String, Entry>,
    #[serde(skip)]
    most: usize,
    /// The call under way is not worked on.
    #[serde(skip)]
    faulty: bool,
}

impl Ledger {
    pub(super) fn new(most: usize) -> Self {
        let (calls, providers, people) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { calls, providers, asked: 0, billed: 0, people, most, faulty: false }
    }

    pub(super) fn call(&mut self, provider: &'static str, path: &'static str) {
        *self.calls.entry(path).or_default() += 1;
        self.providers.entry(provider).or_default().calls += 1;
    }

    /// Notes who a call holds that comes to nothing.
    pub(super) fn in_vain<T>(&mut self, provider: &'static str, work: impl FnOnce(&mut Self) -> T) {
        self.providers.entry(provider).or_default().faults += 1;
        self.faulty = true;
        let _unheard = work(self);
        self.faulty = false;
    }

    /// Whether the call under way comes to nothing.
    pub(super) fn vain(&self) -> bool {
        self.faulty
    }

    pub(super) fn asked(&mut self, provider: &'static str, person: &str, found: bool) {
        let (asked, billed) = (u32::from(!self.faulty), u32::from(found && !self.faulty));
        self.asked += u64::from(asked);
        self.billed += u64::from(billed);
        let sums = self.providers.entry(provider).or_default();
        sums.asked += u64::from(asked);
        sums.billed += u64::from(billed);
        let person = format!("{provider}:{person}");
        if self.people.len() < self.most || self.people.contains_key(&person) {
            let entry = self.people.entry(person).or_default();
            entry.sent += 1;
            entry.asked += asked;
            entry.billed += billed;
        }
    }

    /// People that were paid for more than once.
    pub fn billed_twice(&self) -> Vec<&str> {
        self.people.iter().filter(|(_, entry)| entry.billed > 1).map(|(person, _)| person.as_str()).collect()
    }

    /// People that were worked on more than once.
    pub fn asked_twice(&self) -> Vec<&str> {
        self.people.iter().filter(|(_, entry)| entry.asked > 1).map(|(person, _)| person.as_str()).collect()
    }
}
