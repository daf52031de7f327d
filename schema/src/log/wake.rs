//! How a follower learns that the log went on: at once for this process's appends, by NOTIFY for other processes', and by a
//! jittered poll, which is the truth when a notification was lost.

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
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{statement, tail::Tail};
use crate::{EventId, Position, Recorded};

const CHANNEL: &str = "luci_log";
/// Between two notifications of one process; what is committed meanwhile shares the next.
const NOTIFY_GAP: Duration = Duration::from_millis(5);

/// What the appender, the followers and the listeners of one process share.
#[derive(Debug)]
pub(super) struct Shared {
    tail: Mutex<Tail>,
    /// The furthest position known to be committed, by whomever.
    head: watch::Sender<Position>,
    /// The furthest that this process committed: what it tells the others.
    own: watch::Sender<Position>,
    look: Notify,
}

impl Shared {
    pub fn new(head: Position, tail: Tail) -> Self {
        Self {
            tail: Mutex::new(tail),
            head: watch::Sender::new(head),
            own: watch::Sender::new(head),
            look: Notify::new(),
        }
    }

    /// Events of this process were committed: they are readable before any caller is answered.
    pub fn committed(&self, events: &[Arc<Recorded>]) {
        let Some(last) = events.last() else { return };
        self.offer(events);
        self.advance(last.position);
        raise(&self.own, last.position);
    }

    /// Committed events, from wherever they were read.
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

    /// Looks at the head soon: the caller committed something by a connection of its own.
    pub fn look(&self) {
        self.look.notify_one();
    }

    /// Returns as soon as the head is past the position, or when the time is over.
    pub async fn wait_past(&self, position: Position, at_most: Duration) -> Position {
        let mut head = self.head.subscribe();
        // An error here is the time-out; the sender lives as long as `self`.
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

/// Keeps the head true: polls, listens, and makes partitions ahead of it. Ends with `stop`.
pub(super) async fn watch_head(pool: PgPool, shared: Arc<Shared>, poll: Duration, stop: CancellationToken) {
    let listening = listen((*pool.connect_options()).clone(), shared.clone(), stop.clone());
    let polling = async {
        let mut partitions = Position(0);
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                () = shared.look.notified() => Asked::ByUs,
                () = sleep(jittered(poll)) => Asked::ByTime,
            };
            if let Err(error) = look(&pool, &shared, asked, &mut partitions).await {
                tracing::warn!(error = %error, "the log's head could not be read");
                sleep(poll).await;
            }
        }
    };
    tokio::join!(listening, polling);
}

#[derive(Clone, Copy, PartialEq)]
enum Asked {
    ByUs,
    ByTime,
}

async fn look(pool: &PgPool, shared: &Shared, asked: Asked, partitions: &mut Position) -> Result<(), sqlx::Error> {
    let mut c = pool.acquire().await?;
    let head = statement::head(&mut c).await?;
    shared.advance(head);
    if asked == Asked::ByUs {
        raise(&shared.own, head);
    }
    // Always one whole partition ahead, looked at again when half of it is used.
    if partitions.0 < head.0.saturating_add(statement::PARTITION_SIZE / 2) {
        *partitions = statement::ensure_partitions(&mut c).await?;
    }
    Ok(())
}

async fn listen(options: PgConnectOptions, shared: Arc<Shared>, stop: CancellationToken) {
    // A pool of its own: the listener keeps its connection for good, and makes it anew when it is lost.
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options.application_name("luci-listen"));
    let listening = async {
        loop {
            if let Err(error) = hear(&pool, &shared).await {
                tracing::warn!(error = %error, "listening to the log was interrupted");
            }
            sleep(jittered(Duration::from_secs(1))).await;
        }
    };
    stop.run_until_cancelled(listening).await;
}

async fn hear(pool: &PgPool, shared: &Shared) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        match listener.try_recv().await? {
            Some(heard) => match heard.payload().parse() {
                Ok(position) => shared.advance(Position(position)),
                Err(_) => shared.look(),
            },
            // The connection was lost and made again: what was said meanwhile was missed.
            None => shared.look(),
        }
    }
}

/// Tells other processes of this one's commits, by a connection of its own and never inside an append. Ends with `stop`.
pub(super) async fn tell(options: PgConnectOptions, shared: Arc<Shared>, stop: CancellationToken) {
    // A notification that a crash takes away is made good by the poll: it need not wait for the disk.
    let options = options.application_name("luci-notify").options([("synchronous_commit", "off")]);
    let mut own = shared.own.subscribe();
    let telling = async {
        let mut connection: Option<PgConnection> = None;
        while own.changed().await.is_ok() {
            let head = *own.borrow_and_update();
            if let Err(error) = tell_once(&mut connection, &options, head).await {
                tracing::warn!(error = %error, "other processes could not be told of an append");
                connection = None;
                sleep(jittered(Duration::from_millis(500))).await;
            }
            sleep(NOTIFY_GAP).await;
        }
    };
    stop.run_until_cancelled(telling).await;
}

async fn tell_once(
    connection: &mut Option<PgConnection>,
    options: &PgConnectOptions,
    head: Position,
) -> Result<(), sqlx::Error> {
    let c = match connection {
        Some(c) => c,
        None => connection.insert(options.connect().await?),
    };
    statement::notify(c, CHANNEL, head).await
}

/// Between 0.8 and 1.2 of a duration, so that processes do not poll in step.
pub(super) fn jittered(around: Duration) -> Duration {
    let chance = (EventId::generate().ulid().0 & 0xff) as u32;
    around.mul_f64(0.8 + 0.4 * f64::from(chance) / 255.0)
}
