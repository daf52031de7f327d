//! When blocks of a stage were queued, started and settled.

use luci_schema::Micros;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// When a block was last queued, first started, last started and last settled.
///
/// Kept as `[queued, firstStarted, started, settled]`: the first in microseconds since 1970, the others after it; null is not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StageTimes {
    pub queued: Option<Micros>,
    pub first_started: Option<Micros>,
    pub started: Option<Micros>,
    pub settled: Option<Micros>,
}

impl StageTimes {
    pub(crate) fn started_at(&mut self, at: Micros) {
        self.first_started.get_or_insert(at);
        self.started = self.started.max(Some(at));
    }
}

impl Serialize for StageTimes {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let base = self.queued.unwrap_or_default().0;
        let after = |time: Option<Micros>| time.map(|at| at.0 - base);
        (self.queued, after(self.first_started), after(self.started), after(self.settled)).serialize(s)
    }
}

impl<'de> Deserialize<'de> for StageTimes {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (queued, first, started, settled) =
            <(Option<Micros>, Option<i64>, Option<i64>, Option<i64>)>::deserialize(d)?;
        let base = queued.unwrap_or_default().0;
        let at = |after: Option<i64>| after.map(|after| Micros(base + after));
        Ok(Self { queued, first_started: at(first), started: at(started), settled: at(settled) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_back_as_they_were_written() {
        let all = StageTimes {
            queued: Some(Micros(1_764_000_000_000_000)),
            first_started: Some(Micros(1_763_999_999_999_000)),
            started: Some(Micros(1_764_000_000_000_700)),
            settled: None,
        };
        let text = serde_json::to_string(&all).expect("text");
        assert_eq!(text, "[1764000000000000,-1000,700,null]");
        for times in [all, StageTimes::default(), StageTimes { settled: Some(Micros(7)), ..StageTimes::default() }] {
            let text = serde_json::to_string(&times).expect("text");
            assert_eq!(serde_json::from_str::<StageTimes>(&text).expect("times"), times);
        }
    }
}
