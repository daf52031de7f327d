//! The newest events in memory, bounded, in commit order, so that followers need not read them from Postgres.

use std::{collections::VecDeque, sync::Arc};

use crate::{Position, Recorded};

/// A part of the log without a hole. At a hole it restarts with the events after it.
#[derive(Debug)]
pub(super) struct Tail {
    events: VecDeque<Arc<Recorded>>,
    bytes: usize,
    max_events: usize,
    max_bytes: usize,
}

impl Tail {
    pub fn new(max_events: usize, max_bytes: usize) -> Self {
        Self { events: VecDeque::new(), bytes: 0, max_events, max_bytes }
    }

    /// Adds committed events, which must be in order; those it already has are skipped.
    pub fn push(&mut self, events: &[Arc<Recorded>]) {
        for event in events {
            if let Some(last) = self.events.back().map(|e| e.position) {
                if event.position <= last {
                    continue;
                }
                if event.position.0 != last.0 + 1 {
                    self.events.clear();
                    self.bytes = 0;
                }
            }
            self.bytes += size(event);
            self.events.push_back(event.clone());
        }
        while self.events.len() > self.max_events || self.bytes > self.max_bytes {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= size(&oldest);
        }
    }

    /// Up to `limit` events after a position; `None` when the first of them is not in memory.
    pub fn after(&self, after: Position, limit: usize) -> Option<Vec<Arc<Recorded>>> {
        let first = self.events.front()?.position.0;
        let skip = usize::try_from((after.0 + 1).checked_sub(first)?).ok()?;
        if skip >= self.events.len() {
            return None;
        }
        Some(self.events.range(skip..).take(limit).cloned().collect())
    }
}

fn size(event: &Recorded) -> usize {
    // The text, the decoded event (about the same size) and the envelope.
    2 * event.data.len() + 512
}
