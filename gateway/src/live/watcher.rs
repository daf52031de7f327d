//! One watcher: the topics it follows, what it missed of each, and where it stands. WebSocket and SSE drive it alike.

use std::{collections::VecDeque, sync::Arc};

use luci_schema::{Position, RunId, TenantId, Version};
use tokio_stream::{
    StreamExt, StreamMap,
    wrappers::{BroadcastStream, errors::BroadcastStreamRecvError},
};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{
    frame::{self, Bundle, Seen},
    hub::{Subscription, Topic},
    snapshot,
};
use crate::{App, problem::Problem, reads::version_at};

/// Events of a gap that are read at once.
const PAGE: usize = 256;
/// The widest gap of all runs that is read event by event; beyond it the snapshot alone is newer and enough.
const WIDEST: u64 = 20_000;
/// Topics one watcher may follow.
const MOST: usize = 32;

/// What a watcher has for its client next.
pub enum Step {
    Event(Arc<Bundle>),
    /// It fell behind what is kept for it; it has everything up to this position.
    Resume(Position),
}

/// One followed topic.
struct Follow {
    place: Subscription,
    /// Everything up to here was sent.
    sent: Position,
    gap: Option<Gap>,
}

/// What lies between the position that the client named and the live part.
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

    /// All runs of the tenant, or one.
    pub fn topic(&self, run: Option<RunId>) -> Topic {
        run.map_or(Topic::Runs(self.tenant), |run| Topic::Run(self.tenant, run))
    }

    /// Follows a topic from `after` (a position), or from now, and gives the snapshot to send first.
    pub async fn follow(&mut self, run: Option<RunId>, after: Option<Position>) -> Result<Utf8Bytes, Problem> {
        let after = match after {
            Some(after) => self.known(after).await,
            None => None,
        };
        let topic = self.topic(run);
        if self.follows.len() >= MOST && !self.follows.iter().any(|(other, _)| *other == topic) {
            return Err(Problem::invalid("topic", format!("at most {MOST} topics")));
        }
        self.unfollow(run);
        // The live part first: what is appended while the snapshot is read is in both, and sent once.
        let (place, live) = self.app.hub.subscribe(topic);
        let snapshot = snapshot::take(&self.app, self.tenant, run).await?;
        let from = after.unwrap_or(snapshot.position);
        let gap = self.gap(run, after, &snapshot, place.cut).await?;
        self.live.insert(topic, BroadcastStream::new(live));
        self.follows.push((topic, Follow { place, sent: from, gap }));
        Ok(snapshot.frame)
    }

    /// A position beyond the log is of another log, or of this one before it was restored: who names it has missed what
    /// it cannot name, and goes on from the snapshot. A position that another process has just answered is waited for.
    async fn known(&self, after: Position) -> Option<Position> {
        if after <= self.app.hub.last() {
            return Some(after);
        }
        let before = Position(after.0.saturating_sub(1));
        (after <= self.app.log.wait_past(before, self.app.options.read_patience).await).then_some(after)
    }

    async fn gap(
        &self,
        run: Option<RunId>,
        after: Option<Position>,
        snapshot: &snapshot::Snapshot,
        cut: Position,
    ) -> Result<Option<Gap>, Problem> {
        let mut from = after.unwrap_or(snapshot.position);
        let Some(run) = run else {
            if cut.0.saturating_sub(from.0) > WIDEST {
                from = from.max(snapshot.position);
            }
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

    /// Everything that was sent is at or before this position.
    pub fn stands_at(&self) -> Position {
        self.follows.iter().map(|(_, follow)| follow.sent).min().unwrap_or_default()
    }

    /// Nothing is waiting, so everything up to `last`, read before that was known, was sent.
    pub fn settle(&mut self, last: Position) {
        if self.ready.is_empty() && self.follows.iter().all(|(_, follow)| follow.gap.is_none()) {
            for (_, follow) in &mut self.follows {
                follow.sent = follow.sent.max(last);
            }
        }
    }

    /// The next event, waiting for it; for ever when nothing is followed.
    /// May be dropped while it waits: nothing is lost.
    pub async fn next(&mut self) -> Result<Step, Problem> {
        loop {
            while let Some((topic, bundle)) = self.ready.pop_front() {
                if self.fresh(topic, &bundle) {
                    return Ok(Step::Event(bundle));
                }
            }
            if self.read_gap().await? {
                continue;
            }
            match self.live.next().await {
                Some((topic, Ok(bundle))) => {
                    if self.fresh(topic, &bundle) {
                        return Ok(Step::Event(bundle));
                    }
                }
                Some((_, Err(BroadcastStreamRecvError::Lagged(_)))) => {
                    metrics::counter!("luci_watchers_resumed_total").increment(1);
                    return Ok(Step::Resume(self.stands_at()));
                }
                None => std::future::pending::<()>().await,
            }
        }
    }

    /// Whether the client has not seen the event yet, over this topic or another one. Notes that it has now.
    fn fresh(&mut self, topic: Topic, bundle: &Bundle) -> bool {
        let Some(position) = bundle.position else {
            return matches!(topic, Topic::Runs(_)) || !self.follows.iter().any(|(t, _)| matches!(t, Topic::Runs(_)));
        };
        let other = match topic {
            Topic::Runs(tenant) => Topic::Run(tenant, bundle.run),
            Topic::Run(tenant, _) => Topic::Runs(tenant),
        };
        let seen = |topic: Topic, follows: &[(Topic, Follow)]| {
            follows.iter().any(|(t, follow)| *t == topic && follow.sent >= position)
        };
        let fresh = !seen(topic, &self.follows) && !seen(other, &self.follows);
        if let Some((_, follow)) = self.follows.iter_mut().find(|(t, _)| *t == topic) {
            follow.sent = follow.sent.max(position);
        }
        fresh
    }

    /// Reads the next page of a gap, if there is one.
    async fn read_gap(&mut self) -> Result<bool, Problem> {
        let Some((topic, follow)) = self.follows.iter_mut().find(|(_, follow)| follow.gap.is_some()) else {
            return Ok(false);
        };
        let (topic, cut) = (*topic, follow.place.cut);
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
            if let Some(bundle) = frame::bundle(&Seen::from(recorded.as_ref())) {
                self.ready.push_back((topic, Arc::new(bundle)));
            }
        }
        Ok(true)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // The receivers go before the places, which look whether anybody is left.
        self.live.clear();
        metrics::gauge!("luci_watchers").decrement(1.0);
    }
}
