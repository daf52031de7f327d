//! When the clock asks a provider, for which failed blocks wait, whether it answers again. Pure.

use std::{collections::HashMap, sync::Arc};

use luci_schema::Micros;

/// Between two probes; after an answer that brought no completed block, twice as long each time.
const EVERY_MS: i64 = 5_000;
const LONGEST_MS: i64 = 300_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Probing {
    /// `None` while a probe runs.
    due: Option<Micros>,
    every_ms: i64,
}

/// The providers that are asked.
#[derive(Debug, Default)]
pub(super) struct ProviderProbes(HashMap<Arc<str>, Probing>);

impl ProviderProbes {
    /// The providers that are due to be asked, of those that blocks wait for, each once until `ended`.
    pub(super) fn take(&mut self, waited_for: impl Iterator<Item = Arc<str>>, now: Micros) -> Vec<Arc<str>> {
        let mut taken = Vec::new();
        for provider in waited_for {
            let first = Probing { due: Some(now.plus_millis(EVERY_MS)), every_ms: EVERY_MS };
            let probing = self.0.entry(Arc::clone(&provider)).or_insert(first);
            if probing.due.is_some_and(|due| due <= now) {
                probing.due = None;
                taken.push(provider);
            }
        }
        taken
    }

    /// A probe has ended. One that was answered makes blocks due; if they fail again, the next probe is later.
    pub(super) fn ended(&mut self, provider: &str, answered: bool, now: Micros) {
        let Some(probing) = self.0.get_mut(provider) else { return };
        if answered {
            probing.every_ms = (probing.every_ms * 2).min(LONGEST_MS);
        }
        probing.due = Some(now.plus_millis(probing.every_ms));
    }

    /// The provider has completed a block: the next outage is asked about from the beginning.
    pub(super) fn recovered(&mut self, provider: &str) {
        self.0.remove(provider);
    }

    /// When the next probe of one of these is due.
    pub(super) fn next<'a>(&self, waited_for: impl Iterator<Item = &'a Arc<str>>) -> Option<Micros> {
        waited_for.filter_map(|provider| self.0.get(provider)?.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_provider_is_asked_every_five_seconds_and_more_seldom_after_false_answers() {
        let (apollo, mut probes): (Arc<str>, _) = ("apollo".into(), ProviderProbes::default());
        let waited_for = || std::iter::once(Arc::clone(&apollo));
        let take =
            |probes: &mut ProviderProbes, second: i64| probes.take(waited_for(), Micros(second * SECOND)).len() == 1;
        assert!(!take(&mut probes, 0), "the blocks have just failed");
        assert_eq!(probes.next([&apollo].into_iter()), Some(Micros(5 * SECOND)));
        assert!(take(&mut probes, 5));
        assert!(!take(&mut probes, 60), "one at a time");
        assert_eq!(probes.next([&apollo].into_iter()), None);
        probes.ended("apollo", false, Micros(60 * SECOND));
        assert!(take(&mut probes, 65));
        for (second, pause) in [(65, 10), (75, 20), (95, 40)] {
            probes.ended("apollo", true, Micros(second * SECOND));
            assert_eq!(probes.next([&apollo].into_iter()), Some(Micros((second + pause) * SECOND)));
            assert!(take(&mut probes, second + pause));
        }
        probes.recovered("apollo");
        assert!(!take(&mut probes, 200));
        assert_eq!(probes.next([&apollo].into_iter()), Some(Micros(205 * SECOND)));
    }
}
