//! Reads of the log after a position, and of a stream after a version.

use std::sync::Arc;

use sqlx::PgConnection;

use super::{Log, LogError, append::Receipt, head, statement};
use crate::{CommandId, Hash, Position, Recorded, StreamId, TenantId, Version};

impl Log {
    /// Up to `limit` events after a position; recent ones from memory. Another process's events are known here with a delay:
    /// wait with `wait_past`.
    ///
    /// # Errors
    /// `Hole` when a position up to `head()` is missing, also the newest ones.
    pub async fn read(&self, after: Position, limit: usize) -> Result<Vec<Arc<Recorded>>, LogError> {
        let state = &self.inner.state;
        let head = state.head();
        if after >= head {
            return Ok(Vec::new());
        }
        let mut events = state.in_memory(after, limit).unwrap_or_default();
        let at = events.last().map_or(after, |event| event.position);
        if at < head && events.len() < limit {
            events.extend(self.read_stored(at, head, limit - events.len()).await?);
        }
        Ok(events)
    }

    /// The event at a position, if it is recent enough to be in memory.
    pub fn in_memory(&self, position: Position) -> Option<Arc<Recorded>> {
        self.inner.state.in_memory(Position(position.0.checked_sub(1)?), 1)?.pop()
    }

    /// `head` was read before: the events up to it are stored.
    async fn read_stored(&self, after: Position, head: Position, limit: usize) -> Result<Vec<Arc<Recorded>>, LogError> {
        let mut c = self.pool().acquire().await?;
        let events = statement::events_after(&mut c, after, limit).await?;
        for (event, expected) in events.iter().zip(after.0 + 1..) {
            if event.position.0 != expected {
                return Err(LogError::Hole { expected: Position(expected), found: event.position });
            }
        }
        let last = events.last().map_or(after, |event| event.position);
        if events.len() < limit && last < head {
            return Err(LogError::Hole { expected: Position(last.0 + 1), found: head });
        }
        let events: Vec<_> = events.into_iter().map(Arc::new).collect();
        self.inner.state.offer(&events);
        Ok(events)
    }

    /// Reads the head from the database; `head()` knows it from then on.
    pub async fn newest(&self) -> Result<Position, LogError> {
        let mut c = self.pool().acquire().await?;
        let head = head::position(&mut c).await?;
        self.inner.state.advance(head);
        Ok(head)
    }

    /// Up to `limit` events of a stream after a version, in order. Another tenant's stream reads as empty.
    pub async fn read_stream(
        &self,
        tenant: TenantId,
        stream: StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<Arc<Recorded>>, LogError> {
        let mut c = self.pool().acquire().await?;
        let events = statement::stream_after(&mut c, tenant, stream, after, limit).await?;
        Ok(events.into_iter().map(Arc::new).collect())
    }

    /// The receipt of a command.
    pub async fn receipt(&self, tenant: TenantId, command: &CommandId) -> Result<Option<Receipt>, LogError> {
        let mut c = self.pool().acquire().await?;
        let found = statement::receipts(&mut c, &[(tenant, command.clone())]).await?;
        Ok(found.into_iter().next().map(|(_, receipt)| receipt))
    }

    /// A stream's version and the hash of its last event; `None` when there is no such stream for this tenant.
    pub async fn stream_head(&self, tenant: TenantId, stream: StreamId) -> Result<Option<(Version, Hash)>, LogError> {
        stream_head(&mut *self.pool().acquire().await?, tenant, stream).await
    }
}

/// `Log::stream_head` on the caller's connection. Callers that already hold a connection must use this: if every holder waits
/// for a second one, the pool deadlocks.
pub async fn stream_head(
    c: &mut PgConnection,
    tenant: TenantId,
    stream: StreamId,
) -> Result<Option<(Version, Hash)>, LogError> {
    let found = statement::heads(c, &[stream]).await?;
    Ok(found.into_iter().find(|(_, head)| head.tenant == tenant).map(|(_, head)| (head.version, head.hash)))
}
