//! Removes the oldest messages of EVT where an operator limits it, and never one that a worker still needs.
//!
//! Limits of JetStream would also drop the message of a block that is queued or running, and the block would never be executed.

use std::time::Duration;

use async_nats::jetstream::{
    ErrorCode,
    consumer::Info as ConsumerInfo,
    context::ConsumerInfoErrorKind,
    stream::{Info, Stream},
};
use luci_schema::{Micros, Position, Stage, log::Log};

use crate::{broker::EvtOptions, relay::SessionEnd, worker::consumer_name};

/// Removes what is beyond the limits and was acknowledged by every stage. The last message stays.
pub(super) async fn prune(stream: &Stream, log: &Log, options: &EvtOptions) -> Result<(), SessionEnd> {
    if !options.is_limited() {
        return Ok(());
    }
    let Info { state, config, .. } = stream.get_info().await.map_err(|e| failed(&e))?;
    let (first, last) = (state.first_sequence.max(1), state.last_sequence);
    if state.messages == 0 || last <= first {
        return Ok(());
    }
    let mut keep = first;
    if let Some(most) = options.max_bytes.filter(|most| state.bytes > *most) {
        // As if all messages were of one size; the next look corrects it.
        let beyond = u128::from(state.bytes - most) * u128::from(state.messages);
        keep = keep.max(first + u64::try_from(beyond.div_ceil(u128::from(state.bytes))).unwrap_or(0));
    }
    if let Some(age) = options.max_age {
        keep = keep.max(first_after(log, first, last, age).await?);
    }
    if keep > first {
        keep = keep.min(first_after(log, first, last, options.min_age).await?).min(needed(stream, last).await?);
    }
    if keep <= first {
        return Ok(());
    }
    if config.deny_purge {
        tracing::warn!(
            "stream EVT was made without limits and keeps everything; `luci relay repair --apply` makes it again"
        );
        return Ok(());
    }
    stream.purge().sequence(keep).await.map_err(|e| failed(&e))?;
    tracing::info!(first = keep, removed = keep - first, "old messages removed from stream EVT");
    Ok(())
}

/// The first message that is younger than `age`; at most the last one.
async fn first_after(log: &Log, first: u64, last: u64, age: Duration) -> Result<u64, SessionEnd> {
    let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
    let cut = Micros(Micros::now().0.saturating_sub(age));
    let (mut from, mut to) = (first, last);
    while from < to {
        let middle = from + (to - from) / 2;
        let event = log.read(Position(middle - 1), 1).await?.into_iter().next();
        match event {
            Some(event) if event.recorded_at <= cut => from = middle + 1,
            _ => to = middle,
        }
    }
    Ok(from)
}

/// The first message that a stage has not acknowledged yet; at most `last`, which was the last message before.
async fn needed(stream: &Stream, last: u64) -> Result<u64, SessionEnd> {
    let mut needed = last;
    for stage in Stage::ALL {
        let acknowledged = match stream.consumer_info(consumer_name(stage)).await {
            Ok(info) => acknowledged(&info, last),
            Err(error) => match error.kind() {
                // No worker has run yet: it will want all.
                ConsumerInfoErrorKind::JetStream(e) if e.error_code() == ErrorCode::CONSUMER_NOT_FOUND => 0,
                _ => return Err(failed(&error)),
            },
        };
        needed = needed.min(acknowledged + 1);
    }
    Ok(needed)
}

fn acknowledged(info: &ConsumerInfo, last: u64) -> u64 {
    match (info.num_pending, info.num_ack_pending) {
        (0, 0) => last,
        _ => info.ack_floor.stream_sequence,
    }
}

fn failed(error: &dyn std::fmt::Display) -> SessionEnd {
    SessionEnd::Retry(format!("old messages of EVT: {error}"))
}
