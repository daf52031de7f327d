//! The log: the only writer of facts, and how they are read and followed.
//!
//! Position is dense and in commit order, so a follower asks for `position > p` and asserts that it sees p+1, p+2, …
//! There is no sequence, no listening to transactions, no second queue: absent on purpose.

mod append;
mod append_in;
mod appender;
mod batch;
mod chain;
mod follow;
mod memory;
mod read;
mod row;
mod seals;
mod statement;
mod tail;
mod trouble;
mod wake;

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use append::{Append, AppendError, Appended, MAX_APPEND_BYTES, MAX_APPEND_EVENTS, NewReceipt, Receipt};
pub use chain::{Chain, ChainError, GENESIS, event_hash};
pub use follow::{Follower, Lease, checkpoint, follower_position, followers, forget_follower};
pub use seals::{add_seal, last_seal, seal_over, seals_after};
pub use statement::{first_broken, hashes};
pub use trouble::is_disconnected;

use append::Prepared;
use appender::{Appender, Pending};
use wake::Shared;

use crate::{Micros, Position};

/// Why the log could not be read or followed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("the log's database: {0}")]
    Database(#[from] sqlx::Error),
    /// The log is corrupt: stop, and say so loudly.
    #[error("the log has a hole: position {expected} is missing, {found} follows")]
    Hole { expected: Position, found: Position },
    #[error("the log holds what cannot be read: {0}")]
    Corrupt(String),
    #[error("follower {name} was taken over, or moved by another")]
    Fenced { name: String },
}

impl LogError {
    /// Whether a stored row is no event any more, as opposed to a database that does not answer.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Corrupt(_) | Self::Database(sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }))
    }
}

/// How a process uses the log.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Events that the in-memory tail holds, and their bytes.
    pub tail_events: usize,
    pub tail_bytes: usize,
    /// Streams and commands that the appender remembers.
    pub heads: usize,
    pub receipts: usize,
    /// Appends that may wait before callers do.
    pub queue: usize,
    /// Between two looks at the head, when nobody told of it.
    pub poll: Duration,
    /// How long a lost database is waited for before waiting appends fail.
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

/// A handle of the log: one appender, one tail and one listener a process, however often it is cloned.
#[derive(Debug, Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pool: PgPool,
    queue: mpsc::Sender<Pending>,
    shared: Arc<Shared>,
    /// With the last handle the listeners stop; the appender first answers what is queued.
    _stop: DropGuard,
}

impl Log {
    /// Opens the log for a process. The pool's role is `luci_engine`; besides it the log makes three connections of its own
    /// (appender, listener, notifier).
    pub async fn open(pool: PgPool, options: LogOptions) -> Result<Self, LogError> {
        let mut c = pool.acquire().await?;
        let head = statement::head(&mut c).await?;
        statement::ensure_partitions(&mut c).await?;
        drop(c);
        let shared = Arc::new(Shared::new(head, tail::Tail::new(options.tail_events, options.tail_bytes)));
        let address = (*pool.connect_options()).clone();
        let stop = CancellationToken::new();
        let (queue, waiting) = mpsc::channel(options.queue.max(1));
        tokio::spawn(Appender::new(waiting, shared.clone(), &options, address.clone()).run());
        tokio::spawn(wake::watch_head(pool.clone(), shared.clone(), options.poll, stop.clone()));
        tokio::spawn(wake::tell(address, shared.clone(), stop.clone()));
        Ok(Self { inner: Arc::new(Inner { pool, queue, shared, _stop: stop.drop_guard() }) })
    }

    /// Appends, in one commit with whatever else is waiting. The answer comes after the commit; dropping the future does not
    /// take the append back.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let append = Prepared::new(append)?;
        let (answer, answered) = oneshot::channel();
        let pending = Pending { append, answer, uncertain: false };
        self.inner.queue.send(pending).await.map_err(|_| AppendError::Closed)?;
        answered.await.map_err(|_| AppendError::Closed)?
    }

    /// After a commit with `append_in`: followers here and elsewhere are woken.
    pub fn wake(&self) {
        self.inner.shared.look();
    }

    /// The furthest position known in this process; `append`s of its own are known before they are answered.
    pub fn head(&self) -> Position {
        self.inner.shared.head()
    }

    /// Returns as soon as the head is past the position, or when the time is over; answers the head.
    pub async fn wait_past(&self, position: Position, at_most: Duration) -> Position {
        self.inner.shared.wait_past(position, at_most).await
    }

    /// Forgets the receipts of commands carried out before that time; answers how many.
    pub async fn forget_receipts(&self, before: Micros) -> Result<u64, LogError> {
        let mut c = self.pool().acquire().await?;
        Ok(statement::forget_receipts(&mut c, before).await?)
    }

    pub fn pool(&self) -> &PgPool {
        &self.inner.pool
    }
}
