//! Decides a batch in memory: which appends are accepted, which conflict, and the hashes of the accepted events. Pure.
//!
//! Several appends to one stream are chained here, so that the statement sees each stream once.

use std::collections::{BTreeMap, HashSet};

use super::{
    append::{Appended, Prepared, Receipt},
    chain::event_hash,
};
use crate::{CommandId, Hash, Micros, StreamId, TenantId, Version, recorded::GENESIS};

/// The state of a stream after its last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamHead {
    pub tenant: TenantId,
    pub version: Version,
    pub hash: Hash,
    pub recorded_at: Micros,
}

/// The decision on one append of the batch.
#[derive(Debug)]
pub(super) enum AppendVerdict {
    /// Part of the statement.
    Accepted,
    /// Its stream is at another version.
    Conflict { actual: Version },
    /// Its stream belongs to another tenant.
    OtherTenant,
    /// The same command is already part of the statement, whose result decides.
    Deferred,
    /// Its events are in the log: the connection was lost after the commit.
    AlreadyAppended(Appended),
    /// The command has a receipt.
    AlreadyDone(Receipt),
}

/// A stream that the batch changes; `from` is `None` for a new stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamMove {
    pub from: Option<StreamHead>,
    pub to: StreamHead,
}

/// Ordered by stream id: every process locks streams in this order.
pub(super) type Moves = BTreeMap<StreamId, StreamMove>;

#[derive(Debug, Default)]
pub(super) struct BatchPlan {
    pub verdicts: Vec<AppendVerdict>,
    pub moves: Moves,
}

/// Decides the batch in order of arrival. `head` returns the known head of a stream (`None`: does not exist yet).
pub(super) fn plan<'a>(
    batch: impl Iterator<Item = &'a mut Prepared>,
    mut head: impl FnMut(&StreamId) -> Option<StreamHead>,
    mut receipt: impl FnMut(&TenantId, &CommandId) -> Option<Receipt>,
    now: Micros,
) -> BatchPlan {
    let mut plan = BatchPlan::default();
    let mut commands: HashSet<(TenantId, CommandId)> = HashSet::new();
    for append in batch {
        let key = append.receipt.as_ref().map(|_| (append.tenant, append.command.clone()));
        let verdict = match &key {
            Some(key) if commands.contains(key) => AppendVerdict::Deferred,
            Some((tenant, command)) => match receipt(tenant, command) {
                Some(receipt) => AppendVerdict::AlreadyDone(receipt),
                None => admit(append, &mut plan.moves, &mut head, now),
            },
            None => admit(append, &mut plan.moves, &mut head, now),
        };
        if let (AppendVerdict::Accepted, Some(key)) = (&verdict, key) {
            commands.insert(key);
        }
        plan.verdicts.push(verdict);
    }
    plan
}

fn admit(
    append: &mut Prepared,
    moves: &mut Moves,
    head: &mut impl FnMut(&StreamId) -> Option<StreamHead>,
    now: Micros,
) -> AppendVerdict {
    let moved = moves.get(&append.stream).copied();
    let at = moved.map(|m| m.to).or_else(|| head(&append.stream));
    if at.is_some_and(|at| at.tenant != append.tenant) {
        return AppendVerdict::OtherTenant;
    }
    let actual = at.map_or(Version(0), |at| at.version);
    if actual != append.expected {
        return AppendVerdict::Conflict { actual };
    }
    if append.events.is_empty() {
        return AppendVerdict::Accepted;
    }
    let to = chain(append, at, now);
    moves.entry(append.stream).or_insert(StreamMove { from: at, to }).to = to;
    AppendVerdict::Accepted
}

/// Fills in times and hashes, continuing from the stream's head, and returns the new head.
fn chain(append: &mut Prepared, from: Option<StreamHead>, now: Micros) -> StreamHead {
    let mut hash = from.map_or(GENESIS, |head| head.hash);
    let recorded_at = from.map_or(now, |head| now.max(head.recorded_at));
    for event in &mut append.events {
        event.recorded_at = recorded_at;
        event.previous_hash = hash;
        hash = event_hash(event);
        event.hash = hash;
    }
    let version = Version(append.expected.0 + append.events.len() as u64);
    StreamHead { tenant: append.tenant, version, hash, recorded_at }
}
