//! A batch decided in memory: who is first on each stream, who comes too late, and the hashes of what goes in. Pure.
//!
//! Several appends to one stream in a batch follow one another here, so that the statement sees each stream once.

use std::collections::{BTreeMap, HashSet};

use super::{
    append::{Appended, Prepared, Receipt},
    chain::{GENESIS, event_hash},
};
use crate::{CommandId, Hash, Micros, StreamId, TenantId, Version};

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub tenant: TenantId,
    pub version: Version,
    pub hash: Hash,
    pub recorded_at: Micros,
}

/// What becomes of one append of the batch.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is part of the statement.
    Accepted,
    /// Its stream is at another version.
    Lost { actual: Version },
    /// Its stream is another tenant's.
    Foreign,
    /// The same command is part of the statement already: its answer depends on how that ends.
    Deferred,
    /// It is in the log: its connection was lost before the answer came.
    Landed(Appended),
    /// It was carried out before.
    Done(Receipt),
}

/// A stream that the batch moves: from where (`None`: it is new), and to where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    pub from: Option<Head>,
    pub to: Head,
}

/// The moves in the order in which every process locks streams.
pub(super) type Moves = BTreeMap<StreamId, Move>;

#[derive(Debug, Default)]
pub(super) struct Plan {
    pub verdicts: Vec<Verdict>,
    pub moves: Moves,
}

/// Decides the batch in the order of arrival. `head` says where a stream stands as far as is known (`None`: not made yet).
pub(super) fn plan<'a>(
    batch: impl Iterator<Item = &'a mut Prepared>,
    mut head: impl FnMut(&StreamId) -> Option<Head>,
    mut receipt: impl FnMut(&TenantId, &CommandId) -> Option<Receipt>,
    now: Micros,
) -> Plan {
    let mut plan = Plan::default();
    let mut commands: HashSet<(TenantId, CommandId)> = HashSet::new();
    for append in batch {
        let key = append.receipt.as_ref().map(|_| (append.tenant, append.command.clone()));
        let verdict = match &key {
            Some(key) if commands.contains(key) => Verdict::Deferred,
            Some((tenant, command)) => match receipt(tenant, command) {
                Some(receipt) => Verdict::Done(receipt),
                None => enter(append, &mut plan.moves, &mut head, now),
            },
            None => enter(append, &mut plan.moves, &mut head, now),
        };
        if let (Verdict::Accepted, Some(key)) = (&verdict, key) {
            commands.insert(key);
        }
        plan.verdicts.push(verdict);
    }
    plan
}

fn enter(
    append: &mut Prepared,
    moves: &mut Moves,
    head: &mut impl FnMut(&StreamId) -> Option<Head>,
    now: Micros,
) -> Verdict {
    let known = moves.get(&append.stream).copied();
    let at = known.map(|m| m.to).or_else(|| head(&append.stream));
    if at.is_some_and(|at| at.tenant != append.tenant) {
        return Verdict::Foreign;
    }
    let actual = at.map_or(Version(0), |at| at.version);
    if actual != append.expected {
        return Verdict::Lost { actual };
    }
    if append.events.is_empty() {
        return Verdict::Accepted;
    }
    let to = chain(append, at, now);
    moves.entry(append.stream).or_insert(Move { from: at, to }).to = to;
    Verdict::Accepted
}

/// Fills in time and hashes from the stream's head on; answers its new head.
fn chain(append: &mut Prepared, from: Option<Head>, now: Micros) -> Head {
    let mut hash = from.map_or(GENESIS, |head| head.hash);
    let recorded_at = from.map_or(now, |head| now.max(head.recorded_at));
    for event in &mut append.events {
        event.recorded_at = recorded_at;
        event.previous_hash = hash;
        hash = event_hash(event);
        event.hash = hash;
    }
    let version = Version(append.expected.0 + append.events.len() as u64);
    Head { tenant: append.tenant, version, hash, recorded_at }
}
