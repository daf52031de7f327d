//! The fan-out: each topic is one bounded ring buffer, which its watchers read independently.
//!
//! Publishing and subscribing take the same lock, so that a new watcher knows the exact position after which its live events
//! start. A topic exists only while it has a watcher.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use luci_schema::{ConfigEvent, Event, KeyId, Micros, Position, RunId, StreamId, TenantId};
use tokio::sync::broadcast;

use super::frame::{self, Bundle, WatchedEvent};

/// Bundles that a watcher may lag behind before it has to resume.
const RING_SIZE: usize = 1_024;

/// What can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// All runs of a tenant.
    Runs(TenantId),
    /// One run. The tenant is part of the topic, so that no other tenant can subscribe to it.
    Run(TenantId, RunId),
}

#[derive(Default)]
pub struct Hub {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: Position,
    /// Since when the head of the log is known to be beyond `last`.
    behind_since: Option<Micros>,
    topics: HashMap<Topic, broadcast::Sender<Arc<Bundle>>>,
    revoked: HashSet<KeyId>,
}

/// A subscription to a topic, ended by dropping it.
pub struct Subscription {
    hub: Arc<Hub>,
    topic: Topic,
    /// The receiver gets every bundle after this position.
    pub cut: Position,
}

impl Hub {
    pub fn starting_at(position: Position) -> Arc<Self> {
        let state = State { last: position, ..State::default() };
        Arc::new(Self { state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent even after a panic while the lock was held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The position of the last published event.
    pub fn last(&self) -> Position {
        self.lock().last
    }

    /// How long the oldest unpublished event has been waiting, in milliseconds; 0 if there is none.
    pub fn lag_ms(&self) -> u64 {
        let since = self.lock().behind_since;
        since.map_or(0, |since| u64::try_from((Micros::now().0 - since.0) / 1_000).unwrap_or(0))
    }

    /// Records the head of the log.
    pub fn record_head(&self, head: Position) {
        let mut state = self.lock();
        if head <= state.last {
            state.behind_since = None;
        } else if state.behind_since.is_none() {
            state.behind_since = Some(Micros::now());
        }
    }

    /// Publishes the next event of the log. False if it is not the next one: an older one is a repeat, a newer one follows a
    /// gap that the feed fills first.
    pub fn publish(&self, event: &WatchedEvent) -> bool {
        let mut state = self.lock();
        if event.position.0 != state.last.0 + 1 {
            return false;
        }
        state.last = event.position;
        state.behind_since = None;
        if let Event::Config(ConfigEvent::KeyRevoked(revoked)) = &event.event {
            state.revoked.insert(revoked.key_id);
        }
        let StreamId::Run(run) = event.stream else { return true };
        let topics = [Topic::Runs(event.tenant), Topic::Run(event.tenant, run)];
        if topics.iter().any(|topic| state.topics.contains_key(topic))
            && let Some(bundle) = frame::bundle(event)
        {
            send(&state, topics, bundle);
        }
        true
    }

    /// Publishes telemetry: lost without a watcher, never repeated.
    pub fn publish_telemetry(&self, tenant: TenantId, bundle: Bundle) {
        let state = self.lock();
        send(&state, [Topic::Runs(tenant), Topic::Run(tenant, bundle.run)], bundle);
    }

    /// Whether a key was revoked since this process started.
    pub fn revoked(&self, key: KeyId) -> bool {
        self.lock().revoked.contains(&key)
    }

    /// Subscribes to a topic: the receiver gets every bundle after `cut` of the subscription.
    pub fn subscribe(self: &Arc<Self>, topic: Topic) -> (Subscription, broadcast::Receiver<Arc<Bundle>>) {
        let mut state = self.lock();
        let cut = state.last;
        let sender = state.topics.entry(topic).or_insert_with(|| broadcast::Sender::new(ring_size(topic)));
        let live = sender.subscribe();
        (Subscription { hub: Arc::clone(self), topic, cut }, live)
    }

    /// The number of topics with a watcher.
    pub fn topics(&self) -> usize {
        self.lock().topics.len()
    }
}

/// One run needs a smaller buffer than all runs of a tenant.
fn ring_size(topic: Topic) -> usize {
    match topic {
        Topic::Runs(_) => RING_SIZE,
        Topic::Run(..) => RING_SIZE / 4,
    }
}

fn send(state: &State, topics: [Topic; 2], bundle: Bundle) {
    let bundle = Arc::new(bundle);
    for topic in topics {
        if let Some(sender) = state.topics.get(&topic) {
            // Fails when the last watcher is being dropped.
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

    fn event(tenant: TenantId, run: RunId, position: u64) -> WatchedEvent {
        WatchedEvent {
            tenant,
            stream: run.into(),
            position: Position(position),
            version: Version(position),
            at: Micros(0),
            event: RunEvent::Started(luci_schema::event::RunStarted { sector_id: None }).into(),
        }
    }

    #[tokio::test]
    async fn only_the_next_event_is_published_and_only_to_its_tenant() {
        let (mine, other, run) = (TenantId::generate(), TenantId::generate(), RunId::generate());
        let hub = Hub::starting_at(Position(10));
        let (subscription, mut runs) = hub.subscribe(Topic::Runs(mine));
        let (_other, mut foreign) = hub.subscribe(Topic::Run(other, run));
        assert_eq!(subscription.cut, Position(10));
        assert!(!hub.publish(&event(mine, run, 10)), "a repeat");
        assert!(!hub.publish(&event(mine, run, 12)), "a gap");
        assert!(hub.publish(&event(mine, run, 11)));
        assert_eq!(runs.try_recv().unwrap().position, Some(Position(11)));
        assert!(runs.try_recv().is_err());
        assert!(foreign.try_recv().is_err(), "the id of the run is not enough");
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
    async fn a_slow_watcher_lags_without_blocking_the_publisher() {
        let hub = Hub::starting_at(Position(0));
        let (tenant, run) = (TenantId::generate(), RunId::generate());
        let (_subscription, mut live) = hub.subscribe(Topic::Run(tenant, run));
        for position in 1..=(RING_SIZE as u64) {
            assert!(hub.publish(&event(tenant, run, position)));
        }
        assert!(matches!(live.recv().await, Err(broadcast::error::RecvError::Lagged(_))));
    }
}
