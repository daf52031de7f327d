//! A history as text: an event as the API returns it, and bundles that can be verified without the database.
//!
//! A bundle has one JSON object per line: a header, the events of a stream, a tenant or a range, behind the last event that a
//! seal covers the seal with the nodes of its Merkle tree, and a trailer. The format is described in
//! `deploy/docs/evidence.md`. The first format, `luci-history/1`, has a title and events; it leaves parts uncovered.

mod bundle;
mod event_line;
mod event_text;
mod export;
mod format_1;
mod links;
mod time_text;
mod verdict;
mod verify;

pub use self::{
    bundle::{FORMAT, Scope},
    event_line::LineFault,
    event_text::EventText,
    export::{BundleReader, ExportError},
    format_1::{FORMAT_1, HistoryError, Proof, Title},
    verdict::{BundleFault, LastSealed, NotCovered, Verdict},
    verify::{verify, verify_by},
};
