//! The appender's bounded cache of stream heads and receipts, and how a batch is decided with it: no conflict is reported
//! because of an outdated entry.

use std::{collections::HashSet, num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use sqlx::PgConnection;

use super::{
    LogError,
    append::{Appended, Prepared, Receipt},
    batch::{AppendVerdict, BatchPlan, Moves, StreamHead, plan},
    statement,
};
use crate::{CommandId, Micros, StreamId, TenantId, Version};

type Command = (TenantId, CommandId);

pub(super) struct AppendCache {
    heads: LruCache<StreamId, StreamHead>,
    receipts: LruCache<Command, Receipt>,
}

/// Whether cached entries may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CacheUse {
    /// Yes: the statement detects an outdated head.
    Cached,
    /// No, because it did: heads and receipts are read first.
    Reload,
}

impl AppendCache {
    pub fn new(heads: NonZeroUsize, receipts: NonZeroUsize) -> Self {
        Self { heads: LruCache::new(heads), receipts: LruCache::new(receipts) }
    }

    /// Decides the batch in memory, after reading what is not cached or may be outdated.
    pub async fn decide(
        &mut self,
        c: &mut PgConnection,
        batch: &mut [&mut Prepared],
        cache: CacheUse,
        now: Micros,
    ) -> Result<BatchPlan, sqlx::Error> {
        // A new stream is assumed not to exist: the statement detects it if it does.
        let unknown = |a: &Prepared| cache == CacheUse::Reload || (a.expected.0 > 0 && !self.heads.contains(&a.stream));
        let streams: HashSet<StreamId> = batch.iter().filter(|a| unknown(a)).map(|a| a.stream).collect();
        let mut fresh = HashSet::new();
        self.read_heads(c, streams, &mut fresh).await?;
        let mut receipts_read = cache == CacheUse::Reload;
        if receipts_read {
            self.read_receipts(c, batch.iter().map(|a| &**a)).await?;
        }
        loop {
            let plan = self.plan(batch, now);
            let outdated = possibly_outdated(batch, &plan, &fresh);
            let late: Vec<&Prepared> =
                conflicts(batch, &plan).map(|(a, _)| a).filter(|a| a.receipt.is_some()).collect();
            if outdated.is_empty() && (receipts_read || late.is_empty()) {
                return Ok(plan);
            }
            if !receipts_read {
                self.read_receipts(c, late.into_iter()).await?;
                receipts_read = true;
            }
            self.read_heads(c, outdated, &mut fresh).await?;
        }
    }

    fn plan(&mut self, batch: &mut [&mut Prepared], now: Micros) -> BatchPlan {
        let (heads, receipts) = (&mut self.heads, &mut self.receipts);
        plan(
            batch.iter_mut().map(|append| &mut **append),
            |stream| heads.get(stream).copied(),
            |tenant, command| receipts.get(&(*tenant, command.clone())).cloned(),
            now,
        )
    }

    async fn read_heads(
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

    async fn read_receipts(
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

    /// Stores the new heads after a commit.
    pub fn moved(&mut self, moves: &Moves) {
        for (stream, moved) in moves {
            self.heads.put(*stream, moved.to);
        }
    }

    /// Stores the receipt after a commit.
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

fn conflicts<'a>(batch: &'a [&mut Prepared], plan: &'a BatchPlan) -> impl Iterator<Item = (&'a Prepared, Version)> {
    batch.iter().zip(&plan.verdicts).filter_map(|(append, verdict)| match verdict {
        AppendVerdict::Conflict { actual } => Some((&**append, *actual)),
        _ => None,
    })
}

/// Versions only grow: an append behind the cached head is a conflict for sure; one ahead of it may mean an outdated entry.
fn possibly_outdated(batch: &[&mut Prepared], plan: &BatchPlan, fresh: &HashSet<StreamId>) -> HashSet<StreamId> {
    conflicts(batch, plan)
        .filter(|(append, actual)| *actual < append.expected && !fresh.contains(&append.stream))
        .map(|(append, _)| append.stream)
        .collect()
}

/// The append's own events, if they are in the log: the connection was lost after the commit.
pub(super) async fn already_appended(c: &mut PgConnection, append: &Prepared) -> Result<Option<Appended>, LogError> {
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
