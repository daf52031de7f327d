//! Compares stream EVT with the log: decides where to continue, what to repair, or that an operator must act.
//!
//! A message's sequence is its event's position, and JetStream never gives a sequence twice. What is missing or foreign
//! inside the stream can therefore only be repaired by publishing the whole log again, into a new stream.

use async_nats::{
    HeaderName,
    jetstream::{
        Context,
        stream::{Config, Info, RawMessageErrorKind, State, Stream},
    },
};
use luci_schema::{
    Position, hash_text,
    log::{Log, LogError},
};

use crate::{
    broker,
    relay::{Damage, RelayError, SessionEnd},
};

/// Header with the event's hash in lower hex.
pub(super) const HASH: HeaderName = HeaderName::from_static("Luci-Hash");
/// Messages whose hashes are compared before publishing continues; the others are compared afterwards, in `range_check`.
const SAMPLES: u64 = 32;
/// How many messages past the log's end are inspected to identify the publisher, from each end of the surplus.
const SURPLUS_SAMPLES: u64 = 50;

/// The position of the stream's last message; publishing continues after it.
pub(super) async fn reconcile(context: &Context, stream: &Stream, log: &Log) -> Result<Position, SessionEnd> {
    keep_everything(context, stream).await?;
    let Info { state, config, .. } = info(stream).await?;
    let last = Position(state.last_sequence);
    if last.0 == 0 {
        return Ok(last);
    }
    let head = log.newest().await?;
    if last > head && !surplus_is_foreign(stream, &state, head).await? {
        return Err(SessionEnd::Fatal(RelayError::Ahead { stream: last, log: head }));
    }
    let (first, end) = (state.first_sequence.max(1), last.0.min(head.0));
    let step = end.saturating_sub(first).div_ceil(SAMPLES).max(1);
    let spread = (first..=end).step_by(usize::try_from(step).unwrap_or(usize::MAX));
    for at in spread.chain([end]).filter(|at| *at > 0) {
        compare(stream, log, Position(at)).await?;
    }
    if last > head {
        return Err(SessionEnd::Damaged(Damage::Foreign { position: Position(head.0 + 1) }));
    }
    check_state(&state, broker::keeps_all(&config))?;
    Ok(last)
}

/// Whether the messages past the log's end can be read and none is LUCI's. Where none can be read, they may have been events:
/// under an age limit they expire.
async fn surplus_is_foreign(stream: &Stream, state: &State, head: Position) -> Result<bool, SessionEnd> {
    let (first, last) = (state.first_sequence.max(head.0 + 1), state.last_sequence);
    let tail = last.saturating_sub(SURPLUS_SAMPLES).max(first.saturating_add(SURPLUS_SAMPLES));
    let mut foreign = false;
    for at in (first..=last).take(SURPLUS_SAMPLES as usize).chain(tail..=last) {
        match published_hash(stream, Position(at)).await? {
            Some(hash) if !hash.is_empty() => return Ok(false),
            Some(_) => foreign = true,
            None => {}
        }
    }
    Ok(foreign)
}

/// Checks the stream's counts while the relay is idle.
pub(super) async fn check_counts(stream: &Stream, published: Position) -> Result<(), SessionEnd> {
    let Info { state, config, .. } = info(stream).await?;
    if state.last_sequence != published.0 {
        // Reconciling finds out who published them.
        return Err(SessionEnd::Retry("stream EVT was changed by another publisher".into()));
    }
    check_state(&state, broker::keeps_all(&config))
}

fn check_state(state: &State, keeps_all: bool) -> Result<(), SessionEnd> {
    let (first, last) = (state.first_sequence, state.last_sequence);
    // The first sequence of a stream that never had a message is 0 or 1.
    if last == 0 {
        return Ok(());
    }
    let missing = (last + 1).saturating_sub(first).saturating_sub(state.messages);
    if missing > 0 {
        return Err(SessionEnd::Damaged(Damage::Holes { missing }));
    }
    if first > 1 && keeps_all {
        return Err(SessionEnd::Damaged(Damage::Truncated { first: Position(first) }));
    }
    Ok(())
}

/// The message at a position is the log's event there, or has expired.
async fn compare(stream: &Stream, log: &Log, at: Position) -> Result<(), SessionEnd> {
    let Some(hash) = published_hash(stream, at).await? else { return Ok(()) };
    let event = log.read(Position(at.0 - 1), 1).await?.into_iter().next();
    match event {
        Some(event) => same_hash(at, &hash, &hash_text(&event.hash)),
        // `at` is at most the head.
        None => Err(LogError::Hole { expected: at, found: at }.into()),
    }
}

/// # Errors
/// `Foreign` for a message that LUCI did not publish; it may be removed. `Diverged` for an event of another log; no program
/// may decide which of the two is right.
pub(super) fn same_hash(at: Position, published: &str, logged: &str) -> Result<(), SessionEnd> {
    match published {
        "" => Err(SessionEnd::Damaged(Damage::Foreign { position: at })),
        hash if hash == logged => Ok(()),
        _ => Err(SessionEnd::Fatal(RelayError::Diverged { position: at })),
    }
}

/// Removes limits that make the stream drop messages by number or size. Its age limit is left as it is.
async fn keep_everything(context: &Context, stream: &Stream) -> Result<(), SessionEnd> {
    let found = info(stream).await?.config;
    let limited = [found.max_messages, found.max_messages_per_subject, found.max_bytes].iter().any(|limit| *limit > 0);
    if !limited {
        return Ok(());
    }
    let (messages, bytes) = (found.max_messages, found.max_bytes);
    let config = Config { max_messages: -1, max_messages_per_subject: -1, max_bytes: -1, ..found };
    let updated = context.update_stream(&config).await;
    updated.map_err(|e| SessionEnd::Retry(format!("stream EVT limits: {e}")))?;
    tracing::error!(messages, bytes, "stream EVT was limited, limits removed");
    Ok(())
}

async fn info(stream: &Stream) -> Result<Info, SessionEnd> {
    stream.get_info().await.map_err(|e| SessionEnd::Retry(format!("stream EVT info: {e}")))
}

/// The hash header of a message: empty when the header is missing, `None` when the message is.
async fn published_hash(stream: &Stream, at: Position) -> Result<Option<String>, SessionEnd> {
    match stream.get_raw_message(at.0).await {
        Ok(message) => Ok(Some(message.headers.get(HASH).map(ToString::to_string).unwrap_or_default())),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(SessionEnd::Retry(format!("message {at} of EVT: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(first: u64, last: u64, messages: u64) -> State {
        let time = "2026-11-29T00:00:00Z";
        let state = serde_json::json!({"messages": messages, "bytes": 0, "first_seq": first, "first_ts": time,
            "last_seq": last, "last_ts": time, "consumer_count": 0});
        serde_json::from_value(state).expect("a state")
    }

    fn damage(first: u64, last: u64, messages: u64, keeps_all: bool) -> Option<Damage> {
        match check_state(&state(first, last, messages), keeps_all) {
            Ok(()) => None,
            Err(SessionEnd::Damaged(damage)) => Some(damage),
            Err(_) => panic!("neither whole nor damaged"),
        }
    }

    #[test]
    fn only_a_stream_that_lacks_messages_is_damaged() {
        assert_eq!(damage(0, 0, 0, true), None, "new");
        assert_eq!(damage(1, 0, 0, true), None, "new, as a restarted server says it");
        assert_eq!(damage(1, 5, 5, true), None);
        assert_eq!(damage(1, 5, 4, true), Some(Damage::Holes { missing: 1 }));
        assert_eq!(damage(5, 5, 1, true), Some(Damage::Truncated { first: Position(5) }));
        assert_eq!(damage(5, 5, 1, false), None, "the others have expired");
        assert_eq!(damage(6, 5, 0, false), None, "all have expired");
    }
}
