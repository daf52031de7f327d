//! What the sandbox was asked for and what a real provider would have billed, per path, provider and person.

use std::collections::BTreeMap;

use serde::Serialize;

/// Calls about one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Calls that contained this person, faulty ones included.
    pub sent: u32,
    /// Lookups of this person: calls without those that a fault kept from being executed.
    pub asked: u32,
    /// Lookups that found this person.
    pub billed: u32,
}

/// Totals of one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// HTTP calls, faulty ones included.
    pub calls: u64,
    /// Calls that a fault kept from being executed.
    pub faults: u64,
    /// Lookups.
    pub asked: u64,
    /// Lookups that found the person.
    pub billed: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// HTTP calls by path, faulty ones included.
    pub calls: BTreeMap<&'static str, u64>,
    pub providers: BTreeMap<&'static str, Totals>,
    /// Lookups of all providers.
    pub asked: u64,
    pub billed: u64,
    /// By `PROVIDER:PERSON`, see `person_key`.
    pub people: BTreeMap<String, Entry>,
    /// People that get an entry at most; of later ones only totals are kept.
    #[serde(skip)]
    max_people: usize,
    /// The current call is not executed.
    #[serde(skip)]
    faulty: bool,
}

impl Ledger {
    pub(crate) fn new(max_people: usize) -> Self {
        let (calls, providers, people) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { calls, providers, asked: 0, billed: 0, people, max_people, faulty: false }
    }

    pub(crate) fn count_call(&mut self, provider: &'static str, path: &'static str) {
        *self.calls.entry(path).or_default() += 1;
        self.providers.entry(provider).or_default().calls += 1;
    }

    /// Until `end_fault`, people are counted as sent, not as looked up.
    pub(crate) fn begin_fault(&mut self, provider: &'static str) {
        self.providers.entry(provider).or_default().faults += 1;
        self.faulty = true;
    }

    pub(crate) const fn end_fault(&mut self) {
        self.faulty = false;
    }

    /// Whether the current call is not executed: it must change nothing but this ledger.
    pub(crate) const fn is_faulty(&self) -> bool {
        self.faulty
    }

    /// Counts a person of the current call.
    pub(crate) fn count(&mut self, provider: &'static str, person: &str, found: bool) {
        let (asked, billed) = (u32::from(!self.faulty), u32::from(found && !self.faulty));
        self.asked += u64::from(asked);
        self.billed += u64::from(billed);
        let totals = self.providers.entry(provider).or_default();
        totals.asked += u64::from(asked);
        totals.billed += u64::from(billed);
        let person = format!("{provider}:{person}");
        if self.people.len() < self.max_people || self.people.contains_key(&person) {
            let entry = self.people.entry(person).or_default();
            entry.sent += 1;
            entry.asked += asked;
            entry.billed += billed;
        }
    }

    /// People that were billed more than once.
    pub fn billed_twice(&self) -> Vec<&str> {
        self.people.iter().filter(|(_, entry)| entry.billed > 1).map(|(person, _)| person.as_str()).collect()
    }

    /// People that were looked up more than once.
    pub fn asked_twice(&self) -> Vec<&str> {
        self.people.iter().filter(|(_, entry)| entry.asked > 1).map(|(person, _)| person.as_str()).collect()
    }
}
