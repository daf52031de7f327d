//! One watcher: the topics that it follows, the gap of each, and its position. Used by WebSocket and SSE.

use std::{collections::VecDeque, sync::Arc};

use luci_schema::{Position, RunId, TenantId, Version};
use tokio_stream::{
    StreamExt, StreamMap,
    wrappers::{BroadcastStream, errors::BroadcastStreamRecvError},
};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{
    frame::{self, Bundle, WatchedEvent},
    hub::{Subscription, Topic},
    snapshot,
};
use crate::{App, problem::Problem, run_version::version_at};

/// Events of a gap read from the log at once.
const PAGE: usize = 256;
/// The largest gap of all runs that is read event by event. Beyond it, the snapshot replaces the events, and a frame `reset`
/// says so.
const MAX_GAP: u64 = 20_000;
/// Topics of one watcher, at most.
const MAX_TOPICS: usize = 32;

/// The next thing to send to the client.
pub enum Step {
    Event(Arc<Bundle>),
    /// The watcher was too slow. It has sent every event up to this position.
    Resume(Position),
}

/// The frames that begin a topic.
pub struct Opening {
    /// The requested position cannot be resumed from: the snapshot replaces what the client has.
    pub reset: Option<Utf8Bytes>,
    pub snapshot: Utf8Bytes,
}

/// One followed topic.
struct Follow {
    /// The client named the position after which it wants events, also those that it has by another topic.
    replays: bool,
    subscription: Subscription,
    /// Every event up to here was sent.
    sent: Position,
    gap: Option<Gap>,
}

/// The events between the requested position and the live events, still to be read from the log.
enum Gap {
    Runs { after: Position },
    Run { after: Version },
}

pub struct Watcher {
    app: Arc<App>,
    tenant: TenantId,
    follows: Vec<(Topic, Follow)>,
    live: StreamMap<Topic, BroadcastStream<Arc<Bundle>>>,
    ready: VecDeque<(Topic, Arc<Bundle>)>,
}

impl Watcher {
    pub fn new(app: Arc<App>, tenant: TenantId) -> Self {
        metrics::gauge!("luci_watchers").increment(1.0);
        Self { app, tenant, follows: Vec::new(), live: StreamMap::new(), ready: VecDeque::new() }
    }

    /// All runs of the tenant, or one run.
    pub fn topic(&self, run: Option<RunId>) -> Topic {
        run.map_or(Topic::Runs(self.tenant), |run| Topic::Run(self.tenant, run))
    }

    /// Follows a topic from the position `after`, or from now; a topic that is followed already restarts. Returns the
    /// frames to send first.
    pub async fn follow(&mut self, run: Option<RunId>, after: Option<Position>) -> Result<Opening, Problem> {
        let requested = after;
        let after = match after {
            Some(after) => self.existing(after).await,
            None => None,
        };
        let topic = self.topic(run);
        if self.follows.len() >= MAX_TOPICS && !self.follows.iter().any(|(other, _)| *other == topic) {
            return Err(Problem::invalid("topic", format!("at most {MAX_TOPICS} topics")));
        }
        self.unfollow(run);
        // Subscribed first: an event appended while the snapshot is read is in both, and is sent once.
        let (subscription, live) = self.app.hub.subscribe(topic);
        let snapshot = snapshot::take(&self.app, self.tenant, run).await?;
        let after = after.filter(|after| run.is_some() || subscription.cut.0.saturating_sub(after.0) <= MAX_GAP);
        let from = after.unwrap_or(snapshot.position);
        let gap = self.gap(run, after, &snapshot, subscription.cut).await?;
        let reset = requested.filter(|_| after.is_none()).map(|requested| frame::reset(requested, from));
        self.live.insert(topic, BroadcastStream::new(live));
        self.follows.push((topic, Follow { replays: after.is_some(), subscription, sent: from, gap }));
        Ok(Opening { reset, snapshot: snapshot.frame })
    }

    /// The position, if the log has it; waits for one that another process has just returned. A position beyond the log is
    /// of another log, or of this one before a restore: the watcher continues from the snapshot.
    async fn existing(&self, after: Position) -> Option<Position> {
        if after <= self.app.hub.last() {
            return Some(after);
        }
        let before = Position(after.0.saturating_sub(1));
        (after <= self.app.log.wait_past(before, self.app.options.read_timeout).await).then_some(after)
    }

    async fn gap(
        &self,
        run: Option<RunId>,
        after: Option<Position>,
        snapshot: &snapshot::Snapshot,
        cut: Position,
    ) -> Result<Option<Gap>, Problem> {
        let from = after.unwrap_or(snapshot.position);
        let Some(run) = run else {
            return Ok((from < cut).then_some(Gap::Runs { after: from }));
        };
        if from >= cut {
            return Ok(None);
        }
        let version = match after {
            None => snapshot.version,
            Some(after) => version_at(&self.app, self.tenant, run, after, snapshot.version).await?,
        };
        Ok(Some(Gap::Run { after: version }))
    }

    pub fn unfollow(&mut self, run: Option<RunId>) {
        let topic = self.topic(run);
        self.live.remove(&topic);
        self.ready.retain(|(other, _)| *other != topic);
        self.follows.retain(|(other, _)| *other != topic);
    }

    /// Every event up to this position was sent.
    pub fn position(&self) -> Position {
        self.follows.iter().map(|(_, follow)| follow.sent).min().unwrap_or_default()
    }

    /// Call when `next` is pending, with the position of the hub from before: every event up to it was sent.
    pub fn mark_idle(&mut self, last: Position) {
        if self.ready.is_empty() && self.follows.iter().all(|(_, follow)| follow.gap.is_none()) {
            for (_, follow) in &mut self.follows {
                follow.sent = follow.sent.max(last);
            }
        }
    }

    /// Waits for the next step; never completes without a topic. Cancel-safe.
    pub async fn next(&mut self) -> Result<Step, Problem> {
        loop {
            while let Some((topic, bundle)) = self.ready.pop_front() {
                if self.mark_sent(topic, &bundle) {
                    return Ok(Step::Event(bundle));
                }
            }
            if self.read_gap().await? {
                continue;
            }
            match self.live.next().await {
                Some((topic, Ok(bundle))) => {
                    if self.mark_sent(topic, &bundle) {
                        return Ok(Step::Event(bundle));
                    }
                }
                Some((_, Err(BroadcastStreamRecvError::Lagged(_)))) => {
                    metrics::counter!("luci_watchers_resumed_total").increment(1);
                    return Ok(Step::Resume(self.position()));
                }
                None => std::future::pending::<()>().await,
            }
        }
    }

    /// Whether the event is to be sent: not yet sent for this topic, nor for an overlapping one, unless the client asked for a
    /// replay. Marks it as sent.
    fn mark_sent(&mut self, topic: Topic, bundle: &Bundle) -> bool {
        let Some(position) = bundle.position else {
            return matches!(topic, Topic::Runs(_)) || !self.follows.iter().any(|(t, _)| matches!(t, Topic::Runs(_)));
        };
        let other = match topic {
            Topic::Runs(tenant) => Topic::Run(tenant, bundle.run),
            Topic::Run(tenant, _) => Topic::Runs(tenant),
        };
        let of = |topic: Topic| self.follows.iter().find(|(t, _)| *t == topic).map(|(_, follow)| follow);
        let was_sent = |topic: Topic| of(topic).is_some_and(|follow| follow.sent >= position);
        let replayed = of(topic).is_some_and(|follow| follow.replays && position <= follow.subscription.cut);
        let is_new = !was_sent(topic) && (replayed || !was_sent(other));
        if let Some((_, follow)) = self.follows.iter_mut().find(|(t, _)| *t == topic) {
            follow.sent = follow.sent.max(position);
        }
        is_new
    }

    /// Reads the next page of a gap. False if there is no gap.
    async fn read_gap(&mut self) -> Result<bool, Problem> {
        let Some((topic, follow)) = self.follows.iter_mut().find(|(_, follow)| follow.gap.is_some()) else {
            return Ok(false);
        };
        let (topic, cut) = (*topic, follow.subscription.cut);
        let page = match (&follow.gap, topic) {
            (Some(Gap::Run { after }), Topic::Run(tenant, run)) => {
                self.app.log.read_stream(tenant, run.into(), *after, PAGE).await
            }
            (Some(Gap::Runs { after }), _) => self.app.log.read(*after, PAGE).await,
            _ => Ok(Vec::new()),
        };
        let page = page?;
        let end = page.last().map(|recorded| (recorded.position, recorded.version));
        follow.gap = match (&follow.gap, end) {
            (Some(Gap::Run { .. }), Some((at, version))) if at < cut => Some(Gap::Run { after: version }),
            (Some(Gap::Runs { .. }), Some((at, _))) if at < cut => Some(Gap::Runs { after: at }),
            _ => None,
        };
        for recorded in page.iter().filter(|r| r.tenant_id == self.tenant && r.position <= cut) {
            if let Some(bundle) = frame::bundle(&WatchedEvent::from(recorded.as_ref())) {
                self.ready.push_back((topic, Arc::new(bundle)));
            }
        }
        Ok(true)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Receivers are dropped before subscriptions, which count the remaining receivers.
        self.live.clear();
        metrics::gauge!("luci_watchers").decrement(1.0);
    }
}
