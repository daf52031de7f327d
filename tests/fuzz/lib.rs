//! Reads a whole file of leads from pieces, as an upload is counted and as IMPORT and VALIDATE read it.

use luci_leads::{
    Lead,
    lead::rejection::RowFault,
    lead_id,
    read::{
        csv_row::{Limits, Row, RowReader, Step},
        layout::{Layout, ReadOptions},
        raw_row,
        upload::{Counted, Counter, UploadError},
    },
    validate::row,
};

/// What became of a row.
#[derive(Debug, PartialEq)]
pub struct ReadRow {
    pub line: u64,
    pub next_offset: u64,
    pub fault: Option<RowFault>,
    /// E.164 numbers of the lead; `None` when it was refused.
    pub numbers: Option<Vec<String>>,
}

/// Counts a file that comes in pieces of so many bytes.
///
/// # Errors
/// When it is no file of leads.
pub fn count(file: &[u8], piece: usize) -> Result<Counted, UploadError> {
    let mut counter = Counter::new(Limits::default(), ReadOptions::default());
    for bytes in file.chunks(piece) {
        counter.push(bytes)?;
    }
    counter.finish()
}

/// Reads the rows of a file that comes in pieces of so many bytes.
pub fn rows(file: &[u8], layout: &Layout, piece: usize) -> Vec<ReadRow> {
    let mut reader =
        RowReader::new(layout.dialect(), Some(layout.columns()), Limits::default(), layout.offset, layout.line);
    let start = usize::try_from(layout.offset).unwrap_or(usize::MAX).min(file.len());
    let mut pieces = file[start..].chunks(piece);
    let mut rows = Vec::new();
    loop {
        match reader.step() {
            Step::Row(found) => rows.push(read(&reader, layout, &found, rows.len() as u64 + 1)),
            Step::More => match pieces.next() {
                Some(bytes) => reader.push(bytes),
                None => reader.finish(),
            },
            Step::End => return rows,
        }
    }
}

fn read(reader: &RowReader, layout: &Layout, found: &Row, number: u64) -> ReadRow {
    let mut lead = Lead::bare(lead_id("import_x", number), number, found.line);
    raw_row::fill(&mut lead, layout, reader.cells(), found);
    let lead = row::normalise(lead).ok();
    let numbers = lead.map(|lead| lead.phones.into_iter().map(|phone| phone.number).collect());
    ReadRow { line: found.line, next_offset: found.next_offset, fault: found.fault, numbers }
}
