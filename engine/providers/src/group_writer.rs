//! Writes rows of many callers together: what arrives while a statement runs is written by the next one.

use std::{
    fmt,
    future::Future,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use sqlx::{PgConnection, PgPool};
use tokio::sync::oneshot;

/// Rows of one statement, unless a single write has more.
const MAX_ROWS: usize = 2_000;

/// What one caller writes.
pub trait GroupedWrite: fmt::Debug + Send + Sync + Sized + 'static {
    /// What the caller gets back.
    type Written: fmt::Debug + Send + Sync + 'static;

    fn rows(&self) -> usize;
    /// Executes one statement for all writes; returns what each caller gets, in their order.
    fn execute(
        c: &mut PgConnection,
        writes: &[&Self],
    ) -> impl Future<Output = Result<Vec<Self::Written>, sqlx::Error>> + Send;
}

/// One per process and kind of write; clones share it.
#[derive(Debug)]
pub struct GroupWriter<W: GroupedWrite> {
    pool: PgPool,
    pending: Arc<Mutex<Vec<PendingWrite<W>>>>,
    /// Held while a statement runs.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct PendingWrite<W: GroupedWrite> {
    write: W,
    written: oneshot::Sender<Result<W::Written, Arc<sqlx::Error>>>,
}

/// Why something was not written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ResultWriterError {
    #[error(transparent)]
    Database(#[from] Arc<sqlx::Error>),
    #[error("the writer task ended before it wrote the answers")]
    Interrupted,
}

impl ResultWriterError {
    /// The database refused the values themselves (SQLSTATE classes 22 and 23): another try cannot help.
    pub fn is_permanent(&self) -> bool {
        let Self::Database(error) = self else { return false };
        let code = error.as_database_error().and_then(|error| error.code());
        code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
    }
}

impl<W: GroupedWrite> Clone for GroupWriter<W> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), pending: Arc::clone(&self.pending), turn: Arc::clone(&self.turn) }
    }
}

impl<W: GroupedWrite> GroupWriter<W> {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, pending: Arc::default(), turn: Arc::default() }
    }

    /// Returns when it is committed. It is written even when the caller stops waiting.
    pub async fn write(&self, write: W) -> Result<W::Written, ResultWriterError> {
        let (written, result) = oneshot::channel();
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).push(PendingWrite { write, written });
        // As many turns as writes: one that a statement leaves over is written by a later turn.
        tokio::spawn(self.clone().take_turn());
        result.await.map_err(|_| ResultWriterError::Interrupted)?.map_err(ResultWriterError::Database)
    }

    async fn take_turn(self) {
        let _turn = self.turn.lock().await;
        let batch = next(&mut self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        if batch.is_empty() {
            return;
        }
        let writes: Vec<&W> = batch.iter().map(|pending| &pending.write).collect();
        match self.execute(&writes).await {
            Ok(all) => {
                for (PendingWrite { written, .. }, result) in batch.into_iter().zip(all) {
                    let _nobody_waits = written.send(Ok(result));
                }
            }
            Err(error) => self.failed(batch, Arc::new(error)).await,
        }
    }

    /// A write that the database refuses must not fail the others, nor may two that have the same key.
    async fn failed(&self, batch: Vec<PendingWrite<W>>, error: Arc<sqlx::Error>) {
        let alone = batch.len() > 1 && error.as_database_error().is_some();
        for PendingWrite { write, written } in batch {
            let result = if alone { self.execute(&[&write]).await.map_err(Arc::new) } else { Err(Arc::clone(&error)) };
            let first = result.and_then(|mut all| all.pop().ok_or_else(|| Arc::new(sqlx::Error::RowNotFound)));
            let _nobody_waits = written.send(first);
        }
    }

    async fn execute(&self, writes: &[&W]) -> Result<Vec<W::Written>, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        W::execute(&mut connection, writes).await
    }
}

/// Removes the writes of the next statement.
fn next<W: GroupedWrite>(pending: &mut Vec<PendingWrite<W>>) -> Vec<PendingWrite<W>> {
    let mut rows = 0;
    let too_many = pending.iter().position(|PendingWrite { write, .. }| {
        rows += write.rows();
        rows > MAX_ROWS
    });
    let rest = pending.split_off(too_many.map_or(pending.len(), |first| first.max(1)));
    mem::replace(pending, rest)
}
