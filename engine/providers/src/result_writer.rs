//! Writes answers to `provider_results`. Calls that arrive while a statement runs are written together by the next one.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use sqlx::PgPool;
use tokio::sync::oneshot;

use crate::results::{self, PaidCall};

/// Answers of one statement, unless a single call has more.
const MAX_ANSWERS: usize = 2_000;

/// One per process; clones share it.
#[derive(Debug, Clone)]
pub struct ResultWriter {
    pool: PgPool,
    pending: Arc<Mutex<Vec<PendingCall>>>,
    /// Held while a statement runs.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct PendingCall {
    call: PaidCall,
    written: oneshot::Sender<Result<(), Arc<sqlx::Error>>>,
}

/// Why a call's answers are not in the table.
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

impl ResultWriter {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, pending: Arc::default(), turn: Arc::default() }
    }

    /// Returns when the answers are committed. They are written even when the caller stops waiting.
    pub async fn write(&self, call: PaidCall) -> Result<(), ResultWriterError> {
        let (written, result) = oneshot::channel();
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).push(PendingCall { call, written });
        // As many turns as calls: a call that one statement leaves over is written by a later turn.
        tokio::spawn(self.clone().take_turn());
        result.await.map_err(|_| ResultWriterError::Interrupted)?.map_err(ResultWriterError::Database)
    }

    async fn take_turn(self) {
        let _turn = self.turn.lock().await;
        let batch = next(&mut self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        if batch.is_empty() {
            return;
        }
        let calls: Vec<&PaidCall> = batch.iter().map(|pending| &pending.call).collect();
        let result = self.store(&calls).await.map_err(Arc::new);
        let refused = matches!(&result, Err(error) if error.as_database_error().is_some());
        let shared = batch.len() == 1 || !refused;
        for PendingCall { call, written } in batch {
            // A call that the database refuses must not fail the others, nor may two that answer the same question.
            let result = if shared { result.clone() } else { self.store(&[&call]).await.map_err(Arc::new) };
            let _nobody_waits = written.send(result);
        }
    }

    async fn store(&self, calls: &[&PaidCall]) -> Result<(), sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        results::store(&mut connection, calls).await
    }
}

/// Removes the calls of the next statement.
fn next(pending: &mut Vec<PendingCall>) -> Vec<PendingCall> {
    let mut answers = 0;
    let too_many = pending.iter().position(|PendingCall { call, .. }| {
        answers += call.answers.len();
        answers > MAX_ANSWERS
    });
    let rest = pending.split_off(too_many.map_or(pending.len(), |first| first.max(1)));
    mem::replace(pending, rest)
}
