//! What providers charge, by list; a run pins what was valid when it was queued.

use luci_schema::event::RunPrices;

/// What a provider bills for one unit, in micro-dollars: its list price, unless a run has pinned another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    pub provider: &'static str,
    pub unit: &'static str,
    pub micros: u64,
}

impl Price {
    /// `provider/unit`, as prices are pinned by.
    pub fn key(&self) -> String {
        format!("{}/{}", self.provider, self.unit)
    }

    /// As the run has pinned it.
    pub fn pinned(&self, prices: &RunPrices) -> u64 {
        prices.units.get(&self.key()).copied().unwrap_or(self.micros)
    }
}

/// Nothing is billed for a person that was not found.
pub const APOLLO_PERSON: Price = Price { provider: "apollo", unit: "person_match", micros: 100_000 };
pub const APOLLO_COMPANY: Price = Price { provider: "apollo", unit: "company", micros: 50_000 };
pub const REALESTATE_MATCH: Price = Price { provider: "realestate", unit: "match", micros: 100_000 };
pub const TRACERFY_TRACE: Price = Price { provider: "tracerfy", unit: "normal_trace", micros: 20_000 };
pub const TRESTLE_PHONE: Price = Price { provider: "trestle", unit: "phone", micros: 15_000 };
pub const TRESTLE_CONTACT: Price = Price { provider: "trestle", unit: "real_contact", micros: 30_000 };
pub const TWILIO_LOOKUP: Price = Price { provider: "twilio", unit: "lookup", micros: 8_000 };
