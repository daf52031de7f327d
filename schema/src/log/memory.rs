//! What the appender remembers of streams and commands, bounded, and how it decides a batch by that: nobody is told of a
//! conflict because of what may be out of date.

use std::{collections::HashSet, num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use sqlx::PgConnection;

use super::{
    LogError,
    append::{Appended, Prepared, Receipt},
    batch::{Head, Moves, Plan, Verdict, plan},
    statement,
};
use crate::{CommandId, Micros, StreamId, TenantId, Version};

type Command = (TenantId, CommandId);

pub(super) struct Memory {
    heads: LruCache<StreamId, Head>,
    receipts: LruCache<Command, Receipt>,
}

/// How far what is remembered may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// The statement will notice what is out of date.
    Memory,
    /// It did: streams and receipts are looked up first.
    Nothing,
}

impl Memory {
    pub fn new(heads: NonZeroUsize, receipts: NonZeroUsize) -> Self {
        Self { heads: LruCache::new(heads), receipts: LruCache::new(receipts) }
    }

    /// Decides the batch in memory, looking up what is not known, or doubtful.
    pub async fn decide(
        &mut self,
        c: &mut PgConnection,
        batch: &mut [&mut Prepared],
        trust: Trust,
        now: Micros,
    ) -> Result<Plan, sqlx::Error> {
        // A stream that must not exist yet and is not known is taken not to: the statement would notice.
        let unknown = |a: &Prepared| trust == Trust::Nothing || (a.expected.0 > 0 && !self.heads.contains(&a.stream));
        let streams: HashSet<StreamId> = batch.iter().filter(|a| unknown(a)).map(|a| a.stream).collect();
        let mut fresh = HashSet::new();
        self.look_up_heads(c, streams, &mut fresh).await?;
        let mut asked = trust == Trust::Nothing;
        if asked {
            self.look_up_receipts(c, batch.iter().map(|a| &**a)).await?;
        }
        loop {
            let plan = self.plan(batch, now);
            let doubtful = doubtful(batch, &plan, &fresh);
            let late: Vec<&Prepared> = lost(batch, &plan).map(|(a, _)| a).filter(|a| a.receipt.is_some()).collect();
            if doubtful.is_empty() && (asked || late.is_empty()) {
                return Ok(plan);
            }
            if !asked {
                self.look_up_receipts(c, late.into_iter()).await?;
                asked = true;
            }
            self.look_up_heads(c, doubtful, &mut fresh).await?;
        }
    }

    fn plan(&mut self, batch: &mut [&mut Prepared], now: Micros) -> Plan {
        let (heads, receipts) = (&mut self.heads, &mut self.receipts);
        plan(
            batch.iter_mut().map(|append| &mut **append),
            |stream| heads.get(stream).copied(),
            |tenant, command| receipts.get(&(*tenant, command.clone())).cloned(),
            now,
        )
    }

    async fn look_up_heads(
        &mut self,
        c: &mut PgConnection,
        streams: HashSet<StreamId>,
        fresh: &mut HashSet<StreamId>,
    ) -> Result<(), sqlx::Error> {
        if streams.is_empty() {
            return Ok(());
        }
        let streams: Vec<StreamId> = streams.into_iter().collect();
        let found = statement::heads(c, &streams).await?;
        for stream in streams {
            self.heads.pop(&stream);
            fresh.insert(stream);
        }
        for (stream, head) in found {
            self.heads.put(stream, head);
        }
        Ok(())
    }

    async fn look_up_receipts(
        &mut self,
        c: &mut PgConnection,
        appends: impl Iterator<Item = &Prepared>,
    ) -> Result<(), sqlx::Error> {
        let keys: Vec<Command> =
            appends.filter(|a| a.receipt.is_some()).map(|a| (a.tenant, a.command.clone())).collect();
        if keys.is_empty() {
            return Ok(());
        }
        for (key, receipt) in statement::receipts(c, &keys).await? {
            self.receipts.put(key, receipt);
        }
        Ok(())
    }

    /// The streams stand there now: the statement committed.
    pub fn moved(&mut self, moves: &Moves) {
        for (stream, moved) in moves {
            self.heads.put(*stream, moved.to);
        }
    }

    /// The command is carried out: its statement committed.
    pub fn done(&mut self, append: &Prepared, appended: &Appended) {
        if let Some((receipt, _)) = &append.receipt {
            let receipt = Receipt {
                body_digest: receipt.body_digest,
                outcome: receipt.outcome.clone(),
                position: appended.position(),
            };
            self.receipts.put((append.tenant, append.command.clone()), receipt);
        }
    }
}

fn lost<'a>(batch: &'a [&mut Prepared], plan: &'a Plan) -> impl Iterator<Item = (&'a Prepared, Version)> {
    batch.iter().zip(&plan.verdicts).filter_map(|(append, verdict)| match verdict {
        Verdict::Lost { actual } => Some((&**append, *actual)),
        _ => None,
    })
}

/// Versions only grow: a loser that is behind what is known is one for sure. One that is ahead of it is doubtful.
fn doubtful(batch: &[&mut Prepared], plan: &Plan, fresh: &HashSet<StreamId>) -> HashSet<StreamId> {
    lost(batch, plan)
        .filter(|(append, actual)| *actual < append.expected && !fresh.contains(&append.stream))
        .map(|(append, _)| append.stream)
        .collect()
}

/// The append's own events, when they are in the log after all: its connection was lost before the answer came.
pub(super) async fn landed(c: &mut PgConnection, append: &Prepared) -> Result<Option<Appended>, LogError> {
    let Some(last) = append.events.last() else { return Ok(None) };
    let found = statement::stream_after(c, append.tenant, append.stream, append.expected, append.events.len()).await?;
    let ours = found.len() == append.events.len()
        && found.iter().zip(&append.events).all(|(found, ours)| found.event_id == ours.event_id);
    Ok(ours.then(|| Appended {
        position: found.last().map(|e| e.position).unwrap_or_default(),
        version: last.version,
        events: found.into_iter().map(Arc::new).collect(),
    }))
}
