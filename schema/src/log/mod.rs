//! The log: the only writer of events, and how they are read and followed.
//!
//! Positions are dense and in commit order, so a follower reads `position > p` and checks that it gets p+1, p+2, … Absent on
//! purpose: a database sequence, snapshots of open transactions, a second queue.

mod answer;
mod append;
mod append_cache;
mod append_failure;
mod append_in;
mod appender;
mod audit;
mod batch;
mod blocking;
mod chain;
mod epoch;
mod follow;
mod head;
mod read;
mod row;
mod seals;
mod snapshots;
mod statement;
mod tail;
mod wake;

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use crate::recorded::GENESIS;
pub use append::{
    Append, AppendError, Appended, EventMetadata, MAX_APPEND_BYTES, MAX_APPEND_EVENTS, MAX_EVENT_BYTES, NewReceipt,
    Receipt, receipt_digest,
};
pub use append_failure::{is_blocked, is_disconnected};
pub use audit::{
    StoredEvent, StoredReceipt, StoredStream, stored_events, stored_heads, stored_receipts, stored_streams,
};
pub use blocking::{BlockingSession, blocking_session};
pub use chain::{Chain, ChainError, event_hash};
pub use epoch::{HaltedBy, begin_epoch, epochs, halted};
pub use follow::{Follower, Lease, checkpoint, delete_follower, follower_position, followers};
pub use head::head_and_epoch;
pub use read::stream_head;
pub use seals::{add_seal, last_seal, seal_over, seals_after};
pub use snapshots::{SNAPSHOT_EVERY, SnapshotFold, SnapshotOf, Snapshots};
pub use statement::{first_broken, hashes};

use append::Prepared;
use appender::{Appender, Pending};
use wake::LogState;

use crate::{Micros, Position, clock};

/// Why the log could not be read or followed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("log database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the log has a hole: position {expected} is missing, although {found} was recorded")]
    Hole { expected: Position, found: Position },
    /// An event that cannot be decoded, or cannot follow its stream's state. Retrying does not help.
    #[error("the log is corrupt: {0}")]
    Corrupt(String),
    #[error(
        "the log is damaged: an event at position {position} is past the head, {head}. Only the log may insert events; \
         remove it as the database's owner, and see `luci audit seals`"
    )]
    Beyond { position: Position, head: Position },
    #[error("another process holds the lease of follower {name}, or has moved its checkpoint")]
    Fenced { name: String },
}

impl LogError {
    /// Whether stored data is damaged, as opposed to a database that does not answer.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Corrupt(_) | Self::Database(sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }))
    }
}

#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Limits of the in-memory tail: events, and their bytes.
    pub tail_events: usize,
    pub tail_bytes: usize,
    /// Sizes of the appender's cache.
    pub heads: usize,
    pub receipts: usize,
    /// Queued appends before callers wait.
    pub queue: usize,
    /// Interval of polls of the head, in case notifications are lost.
    pub poll: Duration,
    /// How long queued appends wait for a lost database before they fail.
    pub patience: Duration,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            tail_events: 16_384,
            tail_bytes: 24 << 20,
            heads: 32_768,
            receipts: 4_096,
            queue: 4_096,
            poll: Duration::from_millis(250),
            patience: Duration::from_secs(10),
        }
    }
}

/// A handle of the log; clones share one appender, one tail and one listener.
#[derive(Debug, Clone)]
pub struct Log {
    inner: Arc<Inner>,
    /// Where this handle reads.
    pool: PgPool,
}

#[derive(Debug)]
struct Inner {
    queue: mpsc::Sender<Pending>,
    state: Arc<LogState>,
    /// Stops the listeners with the last handle; the appender first answers what is queued.
    _stop: DropGuard,
}

impl Log {
    /// Opens the log for a process. The pool's role must be `luci_engine`; the log opens three more connections of its own
    /// (appender, listener, notifier).
    pub async fn open(pool: PgPool, options: LogOptions) -> Result<Self, LogError> {
        let mut c = pool.acquire().await?;
        let (head, epoch) = head::head_and_epoch(&mut c).await?;
        head::ensure_partitions(&mut c).await?;
        clock::follow_database(&mut c).await?;
        if let Some(position) = head::beyond_head(&mut c).await? {
            return Err(LogError::Beyond { position, head });
        }
        drop(c);
        let state = Arc::new(LogState::new(head, epoch, tail::Tail::new(options.tail_events, options.tail_bytes)));
        let address = (*pool.connect_options()).clone();
        let stop = CancellationToken::new();
        let (queue, waiting) = mpsc::channel(options.queue.max(1));
        tokio::spawn(Appender::new(waiting, state.clone(), &options, address.clone()).run());
        tokio::spawn(wake::watch_head(pool.clone(), state.clone(), options.poll, stop.clone()));
        tokio::spawn(wake::notify_others(address, state.clone(), stop.clone()));
        Ok(Self { inner: Arc::new(Inner { queue, state, _stop: stop.drop_guard() }), pool })
    }

    /// Appends, in one commit with other queued appends, and returns after the commit. Dropping the future does not cancel the
    /// append.
    #[tracing::instrument(
        level = "debug",
        skip_all,
        fields(tenant.id = %append.tenant, stream.id = %append.stream, events = append.events.len()),
    )]
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let append = Prepared::new(append)?;
        let (answer, answered) = oneshot::channel();
        let pending = Pending { append, answer, uncertain: false };
        self.inner.queue.send(pending).await.map_err(|_| AppendError::Closed)?;
        answered.await.map_err(|_| AppendError::Closed)?
    }

    /// Wakes followers in all processes; call it after a commit with `append_in`.
    pub fn wake(&self) {
        self.inner.state.check_head();
    }

    /// The highest position known in this process, including its own answered appends.
    pub fn head(&self) -> Position {
        self.inner.state.head()
    }

    /// Waits until the head is past `position`, for `at_most`, and returns the head.
    pub async fn wait_past(&self, position: Position, at_most: Duration) -> Position {
        self.inner.state.wait_past(position, at_most).await
    }

    /// Deletes receipts recorded before that time and returns their number.
    pub async fn delete_receipts(&self, before: Micros) -> Result<u64, LogError> {
        let mut c = self.pool().acquire().await?;
        Ok(statement::delete_receipts(&mut c, before).await?)
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The same log, read through another pool of role `luci_engine`: exhausting one pool does not block the other.
    pub fn with_pool(&self, pool: PgPool) -> Self {
        Self { inner: Arc::clone(&self.inner), pool }
    }
}
