//! Wakes followers when the log grows: immediately for this process's appends, by NOTIFY for those of other processes, and
//! by a jittered poll in case a notification was lost.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{
    ConnectOptions, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    epoch::halt_if_restored,
    head,
    statement::{KnownLog, PARTITION_SIZE},
    tail::Tail,
};
use crate::{EventId, Position, Recorded, clock};

const CHANNEL: &str = "luci_log";
/// Shortest interval of notifications of one process; commits in between share the next one.
const NOTIFY_INTERVAL: Duration = Duration::from_millis(5);

/// Interval of measurements of Postgres' clock.
const CLOCK_INTERVAL: Duration = Duration::from_secs(60);

/// State shared by the appender, the followers and the listeners of one process.
#[derive(Debug)]
pub(super) struct LogState {
    tail: Mutex<Tail>,
    /// The highest position known to be committed by any process.
    head: watch::Sender<Position>,
    /// The highest position that this process committed; the others are notified of it.
    own: watch::Sender<Position>,
    check: Notify,
    epoch: String,
}

impl LogState {
    pub fn new(head: Position, epoch: String, tail: Tail) -> Self {
        Self {
            tail: Mutex::new(tail),
            head: watch::Sender::new(head),
            own: watch::Sender::new(head),
            check: Notify::new(),
            epoch,
        }
    }

    /// Makes events that this process committed readable, before any caller is answered.
    pub fn committed(&self, events: &[Arc<Recorded>]) {
        let Some(last) = events.last() else { return };
        self.offer(events);
        self.advance(last.position);
        raise(&self.own, last.position);
    }

    /// Adds committed events to the tail.
    pub fn offer(&self, events: &[Arc<Recorded>]) {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).push(events);
    }

    pub fn in_memory(&self, after: Position, limit: usize) -> Option<Vec<Arc<Recorded>>> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).after(after, limit)
    }

    pub fn advance(&self, to: Position) {
        raise(&self.head, to);
    }

    pub fn head(&self) -> Position {
        *self.head.borrow()
    }

    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    pub fn known(&self) -> KnownLog<'_> {
        KnownLog { head: self.head(), epoch: &self.epoch }
    }

    /// Has the head read soon: the caller committed on its own connection.
    pub fn check_head(&self) {
        self.check.notify_one();
    }

    /// Waits until the head is past `position`, for `at_most`, and returns the head.
    pub async fn wait_past(&self, position: Position, at_most: Duration) -> Position {
        let mut head = self.head.subscribe();
        // The only error is the timeout: `self` owns the sender.
        let _ = tokio::time::timeout(at_most, head.wait_for(|head| *head > position)).await;
        *head.borrow()
    }
}

fn raise(watch: &watch::Sender<Position>, to: Position) {
    watch.send_if_modified(|at| {
        let higher = to > *at;
        *at = to.max(*at);
        higher
    });
}

async fn measure_clock(pool: &PgPool) {
    let measured = async { clock::follow_database(&mut *pool.acquire().await?).await };
    if let Err(error) = measured.await {
        tracing::warn!(%error, "Postgres' clock not read");
    }
}

/// Keeps the head current by polling and listening, and creates partitions ahead of it, until `stop`.
pub(super) async fn watch_head(pool: PgPool, state: Arc<LogState>, poll: Duration, stop: CancellationToken) {
    let listening = listen((*pool.connect_options()).clone(), state.clone(), stop.clone());
    let polling = async {
        let mut partitions = Position(0);
        let mut clock_measured = Instant::now();
        loop {
            let reason = tokio::select! {
                () = stop.cancelled() => return,
                () = state.check.notified() => HeadCheck::OwnCommit,
                () = sleep(jittered(poll)) => HeadCheck::Poll,
            };
            if let Err(error) = read_head(&pool, &state, reason, &mut partitions).await {
                tracing::warn!(%error, "log head read failed, retrying");
                sleep(poll).await;
            }
            if clock_measured.elapsed() > CLOCK_INTERVAL {
                clock_measured = Instant::now();
                measure_clock(&pool).await;
            }
        }
    };
    tokio::join!(listening, polling);
}

/// Why the head is read.
#[derive(Clone, Copy, PartialEq)]
enum HeadCheck {
    OwnCommit,
    Poll,
}

async fn read_head(
    pool: &PgPool,
    state: &LogState,
    reason: HeadCheck,
    partitions: &mut Position,
) -> Result<(), sqlx::Error> {
    let mut c = pool.acquire().await?;
    // Before the read: an append may commit meanwhile.
    let known = state.head();
    let head = head::position(&mut c).await?;
    halt_if_restored(&mut c, head, known, state.epoch()).await?;
    state.advance(head);
    if reason == HeadCheck::OwnCommit {
        raise(&state.own, head);
    }
    // At least half a partition ahead.
    if partitions.0 < head.0.saturating_add(PARTITION_SIZE / 2) {
        *partitions = head::ensure_partitions(&mut c).await?;
    }
    Ok(())
}

async fn listen(options: PgConnectOptions, state: Arc<LogState>, stop: CancellationToken) {
    // A pool of its own: the listener keeps its connection and reconnects when it is lost.
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options.application_name("luci-listen"));
    let listening = async {
        loop {
            if let Err(error) = receive(&pool, &state).await {
                tracing::warn!(%error, "log notifications interrupted, reconnecting");
            }
            sleep(jittered(Duration::from_secs(1))).await;
        }
    };
    stop.run_until_cancelled(listening).await;
}

async fn receive(pool: &PgPool, state: &LogState) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        match listener.try_recv().await? {
            // A process that runs since before an accepted restore knows positions of a history that is over.
            Some(notification) => match notified(notification.payload(), state.epoch()) {
                Some(position) => state.advance(position),
                None => state.check_head(),
            },
            // Reconnected: notifications were missed.
            None => state.check_head(),
        }
    }
}

/// Notifies other processes of this one's commits, on its own connection and never inside an append, until `stop`.
pub(super) async fn notify_others(options: PgConnectOptions, state: Arc<LogState>, stop: CancellationToken) {
    // The poll makes up for a notification that a crash loses: no need to wait for the disk.
    let options = options.application_name("luci-notify").options([("synchronous_commit", "off")]);
    let mut own = state.own.subscribe();
    let notifying = async {
        let mut connection: Option<PgConnection> = None;
        while own.changed().await.is_ok() {
            let head = *own.borrow_and_update();
            if let Err(error) = send_notification(&mut connection, &options, &notification(head, state.epoch())).await {
                tracing::warn!(%error, "log notification failed, reconnecting");
                connection = None;
                sleep(jittered(Duration::from_millis(500))).await;
            }
            sleep(NOTIFY_INTERVAL).await;
        }
    };
    stop.run_until_cancelled(notifying).await;
}

fn notification(head: Position, epoch: &str) -> String {
    format!("{head} {epoch}")
}

/// The position of a notification of this epoch.
fn notified(payload: &str, epoch: &str) -> Option<Position> {
    let (position, of) = payload.split_once(' ')?;
    (of == epoch).then(|| position.parse().ok().map(Position)).flatten()
}

async fn send_notification(
    connection: &mut Option<PgConnection>,
    options: &PgConnectOptions,
    payload: &str,
) -> Result<(), sqlx::Error> {
    let c = match connection {
        Some(c) => c,
        None => connection.insert(options.connect().await?),
    };
    sqlx::query("select pg_notify($1, $2)").bind(CHANNEL).bind(payload).execute(c).await.map(|_| ())
}

/// 0.8 to 1.2 times a duration, so that processes do not poll in step.
pub(super) fn jittered(around: Duration) -> Duration {
    let random = (EventId::generate().ulid().0 & 0xff) as u32;
    around.mul_f64(0.8 + 0.4 * f64::from(random) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_of_another_epoch_name_no_position() {
        let payload = notification(Position(40), "now");
        assert_eq!(notified(&payload, "now"), Some(Position(40)));
        assert_eq!(notified(&payload, "later"), None);
        assert_eq!(notified("40", "now"), None, "an older release");
    }
}
