//! What an audit of everything found, and how far the history is proved.

use luci_schema::Position;
use serde::Serialize;
use serde_json::{Value, json};

/// Findings that are kept; more are counted.
const MOST: usize = 1_000;

/// Something that is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `events`, `streams`, `receipts`, `head`, `seals`, `evt` or `objects`.
    pub area: &'static str,
    /// Where the history is wrong; `None` when what is wrong is derived from it.
    pub position: Option<u64>,
    pub what: String,
}

/// The result of one pass.
#[derive(Debug, Default)]
pub struct Report {
    pub events: u64,
    pub streams: u64,
    pub receipts: u64,
    /// Receipts that no event vouches for: of commands that changed nothing, or from before the events did.
    pub receipts_not_covered: u64,
    pub seals: u64,
    pub objects: u64,
    /// Of the objects: removed by retention or by an erasure.
    pub removed: u64,
    pub head: u64,
    /// Position of the last event.
    pub last_event: u64,
    /// Valid seals reach to here.
    pub sealed: Position,
    /// The log equals EVT up to here.
    pub compared: Position,
    /// Whether EVT was looked at.
    pub with_evt: bool,
    pub findings: Vec<Finding>,
    more: u64,
}

impl Report {
    /// Something about the history at a position.
    pub fn at(&mut self, area: &'static str, position: u64, what: impl Into<String>) {
        self.add(Finding { area, position: Some(position), what: what.into() });
    }

    /// Something beside the history.
    pub fn found(&mut self, area: &'static str, what: impl Into<String>) {
        self.add(Finding { area, position: None, what: what.into() });
    }

    fn add(&mut self, finding: Finding) {
        if self.findings.len() < MOST {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }

    pub fn is_intact(&self) -> bool {
        self.findings.is_empty()
    }

    /// No such finding is at or before this position.
    fn sound(&self, counts: impl Fn(&Finding) -> bool) -> u64 {
        let first = self.findings.iter().filter(|finding| counts(finding)).filter_map(|finding| finding.position).min();
        first.map_or(self.head, |first| first.saturating_sub(1).min(self.head))
    }

    /// Everything up to this position is what was sealed. A message of EVT that differs does not change that.
    pub fn proved(&self) -> u64 {
        self.sealed.0.min(self.sound(|finding| finding.area != "evt"))
    }

    /// Everything up to this position is what was published, too.
    pub fn published(&self) -> u64 {
        self.compared.0.min(self.sound(|_| true))
    }

    /// Events that neither a seal nor EVT has: any of them may have been written by somebody else.
    pub fn not_covered(&self) -> Option<(u64, u64)> {
        let covered = self.sealed.0.max(self.compared.0);
        (covered < self.last_event).then_some((covered + 1, self.last_event))
    }

    pub fn as_json(&self) -> Value {
        json!({"events": self.events, "streams": self.streams, "receipts": self.receipts, "seals": self.seals,
            "receiptsNotCovered": self.receipts_not_covered, "objects": self.objects, "removed": self.removed, "head": self.head,
            "notCovered": self.not_covered().map(|(from, to)| json!({"from": from, "to": to})), "sealed": self.sealed, "proved": self.proved(), "published": self.with_evt.then(|| self.published()),
            "intact": self.is_intact(), "findings": self.findings, "more": self.more})
    }

    pub fn as_lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.findings.iter().map(as_line).collect();
        if self.more > 0 {
            lines.push(format!("and {} more", self.more));
        }
        let Self { events, streams, receipts, seals, objects, .. } = self;
        let findings = match self.findings.len() as u64 + self.more {
            0 => "nothing found".to_owned(),
            count => format!("{count} found"),
        };
        lines.push(format!(
            "{events} events, {streams} streams, {receipts} receipts, {seals} seals and {objects} objects: {findings}"
        ));
        if self.removed > 0 {
            lines.push(format!("removed: {} of the objects, by retention or an erasure", self.removed));
        }
        if self.receipts_not_covered > 0 {
            lines.push(format!("not covered: {} receipts that no event vouches for", self.receipts_not_covered));
        }
        if let Some((from, to)) = self.not_covered() {
            lines.push(format!("not covered: positions {from} to {to} are neither sealed nor published yet"));
        }
        let (proved, published, head) = (self.proved(), self.published(), self.head);
        lines.push(format!("proved by seals up to position {proved} of {head}"));
        if self.with_evt {
            lines.push(format!("equal to what was published up to position {published}"));
        }
        lines
    }
}

fn as_line(finding: &Finding) -> String {
    match finding.position {
        Some(position) => format!("{}: position {position}: {}", finding.area, finding.what),
        None => format!("{}: {}", finding.area, finding.what),
    }
}
