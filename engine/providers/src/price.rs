//! A list price of a provider; a run pins the prices that were valid when it was queued.

use luci_schema::event::RunPrices;

/// What a provider bills for one unit, in micro-dollars, unless a run has pinned another price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// The provider's stored name.
    pub provider: &'static str,
    pub unit: &'static str,
    pub micros: u64,
}

impl Price {
    /// `provider/unit`: the key of pinned prices.
    pub fn key(&self) -> String {
        format!("{}/{}", self.provider, self.unit)
    }

    /// As pinned by the run, else the list price.
    pub fn pinned(&self, prices: &RunPrices) -> u64 {
        prices.units.get(&self.key()).copied().unwrap_or(self.micros)
    }
}
