//! Which history the log has, and the halt of all appends when it is not the one that broker and processes know.
//!
//! A database that was restored to the past gives out positions again that were published with other events. A running
//! process finds the head before the position it knows; the relay finds events in the broker that the log does not have.
//! Either halts all appends, until an operator accepts the restored state, which begins a new epoch.

use sqlx::PgConnection;

use super::{Log, LogError, head};
use crate::Position;

/// Who found that the log is not the one it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HaltedBy {
    /// The broker has events that the log does not have. Taken back when they fit again.
    Relay,
    /// The head went back under a running process. Only `begin_epoch` takes it back.
    Log,
}

impl HaltedBy {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Log => "log",
        }
    }
}

impl Log {
    /// The epoch that this process opened the log in.
    pub fn epoch(&self) -> &str {
        self.inner.state.epoch()
    }

    /// Refuses all appends of all processes from now on; an earlier reason stays.
    pub async fn halt(&self, by: HaltedBy, reason: &str) -> Result<(), LogError> {
        Ok(halt(&mut *self.pool().acquire().await?, by, reason, self.epoch()).await?)
    }

    /// Takes a halt by the relay back.
    pub async fn resume(&self) -> Result<(), LogError> {
        let resumed: bool =
            sqlx::query_scalar("select log.resume()").fetch_one(&mut *self.pool().acquire().await?).await?;
        if resumed {
            tracing::info!("appends resumed, stream EVT fits the log");
        }
        Ok(())
    }
}

/// Why all appends are refused; `None` when they are not.
pub async fn halted(c: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select halted from log.head where id = 0").fetch_one(c).await
}

/// All epochs, the current one last.
pub async fn epochs(c: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("select epoch from log.epochs order by number").fetch_all(c).await
}

/// Accepts the log as it is now: a new epoch begins at its head, and appends are allowed again. Processes that run since
/// before must be restarted. The connection's role must own the tables.
pub async fn begin_epoch(c: &mut PgConnection) -> Result<(Position, String), sqlx::Error> {
    let (position, epoch): (i64, String) =
        sqlx::query_as("select from_position, epoch from log.begin_epoch()").fetch_one(c).await?;
    Ok((Position(position.unsigned_abs()), epoch))
}

async fn halt(c: &mut PgConnection, by: HaltedBy, reason: &str, epoch: &str) -> Result<(), sqlx::Error> {
    let sql = "select log.halt($1, $2, $3)";
    let halted: bool = sqlx::query_scalar(sql).bind(reason).bind(by.as_str()).bind(epoch).fetch_one(c).await?;
    if halted {
        tracing::error!(reason, "all appends halted: see `luci restore plan`");
    }
    Ok(())
}

/// Halts when the head is before a position that this process knew when it began to read it.
pub(super) async fn halt_if_restored(
    c: &mut PgConnection,
    head: Position,
    known: Position,
    epoch: &str,
) -> Result<(), sqlx::Error> {
    if head >= known {
        return Ok(());
    }
    let (_, current) = head::head_and_epoch(c).await?;
    if current != epoch {
        tracing::error!(%head, %known, "log was restored and accepted while this process ran: restart it");
        return Ok(());
    }
    let reason =
        format!("the log ends at position {head}, but had reached {known}: Postgres was restored to an earlier state");
    halt(c, HaltedBy::Log, &reason, epoch).await
}
