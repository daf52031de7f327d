//! Another session that holds the log's head and so stops every append.

use std::fmt;

use sqlx::{PgConnection, Row};

/// A session with a lock on `log.head`, in a transaction older than any append's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockingSession {
    pub pid: i32,
    pub user: String,
    pub application: String,
    /// Seconds since its transaction began.
    pub seconds: i64,
}

impl fmt::Display for BlockingSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, user, application, seconds } = self;
        write!(f, "session {pid} of user `{user}`, application `{application}`, in a transaction for {seconds} s")
    }
}

/// The oldest such session. Appends hold the lock for milliseconds; one for over four seconds is stopped, or is not LUCI's.
/// The cause of an append's failure with SQLSTATE 55P03.
pub async fn blocking_session(c: &mut PgConnection) -> Result<Option<BlockingSession>, sqlx::Error> {
    let row =
        sqlx::query("select pid, usename, application, seconds from log.blocking_session()").fetch_optional(c).await?;
    row.map(|row| {
        Ok(BlockingSession {
            pid: row.try_get("pid")?,
            user: row.try_get("usename")?,
            application: row.try_get("application")?,
            seconds: row.try_get("seconds")?,
        })
    })
    .transpose()
}

/// Names the session in the process's log, after an append was blocked.
pub(super) async fn log_blocking_session(c: &mut PgConnection) {
    metrics::counter!("luci_append_blocked_total").increment(1);
    match blocking_session(c).await {
        Ok(Some(session)) => {
            tracing::error!(pid = session.pid, %session, "append blocked, another session holds log.head");
        }
        Ok(None) => tracing::warn!("append blocked for a while, no session holds log.head any more"),
        Err(error) => tracing::warn!(%error, "blocking session not found"),
    }
}
