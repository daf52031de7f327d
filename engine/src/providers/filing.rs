//! Answers on their way into `provider_results`. Those that come while a statement is under way go with the next one: one
//! commit for the calls of many blocks.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use sqlx::PgPool;
use tokio::sync::oneshot;

use super::results::{self, PaidCall};

/// Answers that one statement writes, unless a single call has more.
const MOST: usize = 2_000;

/// One for a process; clones share it.
#[derive(Debug, Clone)]
pub struct Filing {
    pool: PgPool,
    waiting: Arc<Mutex<Vec<Waiting>>>,
    /// Who holds it writes.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct Waiting {
    call: PaidCall,
    written: oneshot::Sender<Result<(), Arc<sqlx::Error>>>,
}

/// Why a call's answers are not in the table.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FilingError {
    #[error(transparent)]
    Database(#[from] Arc<sqlx::Error>),
    #[error("the writing was broken off")]
    BrokenOff,
}

impl Filing {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, waiting: Arc::default(), turn: Arc::default() }
    }

    /// Returns when the answers are committed. A caller who stops waiting takes nothing back: what was paid is written.
    pub async fn file(&self, call: PaidCall) -> Result<(), FilingError> {
        let (written, told) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Waiting { call, written });
        // As many turns as calls: whoever is left over by one is written by a later one.
        tokio::spawn(self.clone().take_turn());
        told.await.map_err(|_| FilingError::BrokenOff)?.map_err(FilingError::Database)
    }

    async fn take_turn(self) {
        let _turn = self.turn.lock().await;
        let batch = next(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if batch.is_empty() {
            return;
        }
        let calls: Vec<&PaidCall> = batch.iter().map(|waiting| &waiting.call).collect();
        let written = self.write(&calls).await.map_err(Arc::new);
        let refused = matches!(&written, Err(error) if error.as_database_error().is_some());
        let together = batch.len() == 1 || !refused;
        for Waiting { call, written: tell } in batch {
            // One that cannot be written takes no other with it; nor do two that answer the same question.
            let written = if together { written.clone() } else { self.write(&[&call]).await.map_err(Arc::new) };
            let _nobody_waits = tell.send(written);
        }
    }

    async fn write(&self, calls: &[&PaidCall]) -> Result<(), sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        results::store(&mut connection, calls).await
    }
}

/// The calls of the next statement.
fn next(waiting: &mut Vec<Waiting>) -> Vec<Waiting> {
    let mut answers = 0;
    let too_many = waiting.iter().position(|Waiting { call, .. }| {
        answers += call.answers.len();
        answers > MOST
    });
    let rest = waiting.split_off(too_many.map_or(waiting.len(), |first| first.max(1)));
    mem::replace(waiting, rest)
}
