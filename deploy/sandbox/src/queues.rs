//! Batches that a provider answers later: queued under a number, pending for some polls, then done.

use std::collections::BTreeMap;

use luci_schema::Micros;
use serde_json::Value;

/// Polls that are answered `Pending` before a queue is done.
const PENDING_POLLS: u32 = 1;

#[derive(Debug)]
pub struct Queue {
    pub created_at: Micros,
    polls: u32,
    /// The answers, in the order in which the provider lists them.
    pub rows: Vec<Value>,
}

/// Queues by number, from 1.
#[derive(Debug, Default)]
pub struct Queues {
    queues: BTreeMap<u64, Queue>,
    last: u64,
    /// While set, no queue gets done.
    pub pending: bool,
}

/// The outcome of a poll.
pub enum Poll<'a> {
    Pending,
    Done(&'a [Value]),
}

impl Queues {
    /// The number of the next queue.
    pub fn next_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub fn insert(&mut self, number: u64, created_at: Micros, rows: Vec<Value>) {
        self.queues.insert(number, Queue { created_at, polls: 0, rows });
    }

    /// Counts a poll; `None` for a number that is unknown.
    pub fn poll(&mut self, number: u64) -> Option<Poll<'_>> {
        let queue = self.queues.get_mut(&number)?;
        queue.polls += 1;
        Some(if self.pending || queue.is_pending() { Poll::Pending } else { Poll::Done(&queue.rows) })
    }

    /// Number, queue and whether it is pending, newest first.
    pub fn newest(&self) -> impl Iterator<Item = (u64, &Queue, bool)> {
        self.queues.iter().rev().map(|(number, queue)| (*number, queue, self.pending || queue.is_pending()))
    }

    /// Drops every queue.
    pub fn clear(&mut self) {
        self.queues.clear();
    }
}

impl Queue {
    const fn is_pending(&self) -> bool {
        self.polls <= PENDING_POLLS
    }
}
