//! The fan-out: each topic is one bounded ring that all its watchers read at their own pace.
//!
//! Publishing and subscribing take the same lock, so that a new watcher knows exactly which position its live part
//! begins after. A topic exists only while somebody watches it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use luci_schema::{ConfigEvent, Event, KeyId, Micros, Position, RunId, StreamId, TenantId};
use tokio::sync::broadcast;

use super::frame::{self, Bundle, Seen};

/// Bundles that a watcher may be behind before it is told to resume.
const RING: usize = 1_024;

/// What can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// All runs of a tenant.
    Runs(TenantId),
    /// One run; the tenant is part of the topic, so that no other tenant can ever meet it.
    Run(TenantId, RunId),
}

#[derive(Default)]
pub struct Hub {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: Position,
    /// Since when the log is known to be further than `last`.
    behind_since: Option<Micros>,
    topics: HashMap<Topic, broadcast::Sender<Arc<Bundle>>>,
    revoked: HashSet<KeyId>,
}

/// A place in a topic. Dropping it gives the place back.
pub struct Subscription {
    hub: Arc<Hub>,
    topic: Topic,
    /// Bundles after this position come through `live`.
    pub cut: Position,
}

impl Hub {
    pub fn starting_at(position: Position) -> Arc<Self> {
        let state = State { last: position, ..State::default() };
        Arc::new(Self { state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while holding the lock leaves whole values only.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The position of the last event that was handed out.
    pub fn last(&self) -> Position {
        self.lock().last
    }

    /// How long events have been waiting to be handed out, in milliseconds; 0 when none is.
    pub fn lag_ms(&self) -> u64 {
        let since = self.lock().behind_since;
        since.map_or(0, |since| u64::try_from((Micros::now().0 - since.0) / 1_000).unwrap_or(0))
    }

    /// Notes that the log has reached `head`.
    pub fn note_head(&self, head: Position) {
        let mut state = self.lock();
        if head <= state.last {
            state.behind_since = None;
        } else if state.behind_since.is_none() {
            state.behind_since = Some(Micros::now());
        }
    }

    /// Hands out the next event of the log. False when it is not the next one: older ones are repeats, newer ones
    /// show a hole that the feed fills first.
    pub fn publish(&self, seen: &Seen) -> bool {
        let mut state = self.lock();
        if seen.position.0 != state.last.0 + 1 {
            return false;
        }
        state.last = seen.position;
        state.behind_since = None;
        if let Event::Config(ConfigEvent::KeyRevoked(revoked)) = &seen.event {
            state.revoked.insert(revoked.key_id);
        }
        let StreamId::Run(run) = seen.stream else { return true };
        let topics = [Topic::Runs(seen.tenant), Topic::Run(seen.tenant, run)];
        if topics.iter().any(|topic| state.topics.contains_key(topic))
            && let Some(bundle) = frame::bundle(seen)
        {
            send(&state, topics, bundle);
        }
        true
    }

    /// Hands out telemetry: lost when nobody is there, never repeated.
    pub fn tell(&self, tenant: TenantId, bundle: Bundle) {
        let state = self.lock();
        send(&state, [Topic::Runs(tenant), Topic::Run(tenant, bundle.run)], bundle);
    }

    /// Whether a key was revoked since this process started.
    pub fn revoked(&self, key: KeyId) -> bool {
        self.lock().revoked.contains(&key)
    }

    /// Joins a topic; everything after the subscription's `cut` will come through the receiver.
    pub fn subscribe(self: &Arc<Self>, topic: Topic) -> (Subscription, broadcast::Receiver<Arc<Bundle>>) {
        let mut state = self.lock();
        let cut = state.last;
        let sender = state.topics.entry(topic).or_insert_with(|| broadcast::Sender::new(ring(topic)));
        let live = sender.subscribe();
        (Subscription { hub: Arc::clone(self), topic, cut }, live)
    }

    /// Topics that are watched now.
    pub fn topics(&self) -> usize {
        self.lock().topics.len()
    }
}

/// A run alone needs a smaller ring than all runs of a tenant.
fn ring(topic: Topic) -> usize {
    match topic {
        Topic::Runs(_) => RING,
        Topic::Run(..) => RING / 4,
    }
}

fn send(state: &State, topics: [Topic; 2], bundle: Bundle) {
    let bundle = Arc::new(bundle);
    for topic in topics {
        if let Some(sender) = state.topics.get(&topic) {
            // An error says that the last watcher is leaving: nobody misses anything.
            let _ = sender.send(Arc::clone(&bundle));
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        if state.topics.get(&self.topic).is_some_and(|sender| sender.receiver_count() == 0) {
            state.topics.remove(&self.topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use luci_schema::{RunEvent, Version};

    use super::*;

    fn seen(tenant: TenantId, run: RunId, position: u64) -> Seen {
        Seen {
            tenant,
            stream: run.into(),
            position: Position(position),
            version: Version(position),
            at: Micros(0),
            event: RunEvent::Started(luci_schema::event::RunStarted { sector_id: None }).into(),
        }
    }

    #[tokio::test]
    async fn only_the_next_event_is_handed_out_and_only_to_its_tenant() {
        let (mine, other, run) = (TenantId::generate(), TenantId::generate(), RunId::generate());
        let hub = Hub::starting_at(Position(10));
        let (place, mut runs) = hub.subscribe(Topic::Runs(mine));
        let (_elsewhere, mut strange) = hub.subscribe(Topic::Run(other, run));
        assert_eq!(place.cut, Position(10));
        assert!(!hub.publish(&seen(mine, run, 10)), "a repeat");
        assert!(!hub.publish(&seen(mine, run, 12)), "a hole");
        assert!(hub.publish(&seen(mine, run, 11)));
        assert_eq!(runs.try_recv().unwrap().position, Some(Position(11)));
        assert!(runs.try_recv().is_err());
        assert!(strange.try_recv().is_err(), "the run's id alone opens nothing");
    }

    #[tokio::test]
    async fn a_topic_ends_with_its_last_watcher() {
        let hub = Hub::starting_at(Position(0));
        let tenant = TenantId::generate();
        let (first, live_first) = hub.subscribe(Topic::Runs(tenant));
        let (second, live_second) = hub.subscribe(Topic::Runs(tenant));
        drop((live_first, first));
        assert_eq!(hub.topics(), 1);
        drop(live_second);
        drop(second);
        assert_eq!(hub.topics(), 0);
    }

    #[tokio::test]
    async fn a_slow_watcher_lags_and_harms_nobody() {
        let hub = Hub::starting_at(Position(0));
        let (tenant, run) = (TenantId::generate(), RunId::generate());
        let (_place, mut live) = hub.subscribe(Topic::Run(tenant, run));
        for position in 1..=(RING as u64) {
            assert!(hub.publish(&seen(tenant, run, position)));
        }
        assert!(matches!(live.recv().await, Err(broadcast::error::RecvError::Lagged(_))));
    }
}
