//! Rows of a CSV file, read from any byte offset: the caller pushes bytes and gets rows with line and offset. Memory is
//! bounded by one row.

use encoding_rs::Decoder;

use crate::{
    lead::rejection::RowFault,
    read::{
        csv_text::{Cells, count_lines},
        encoding::TextEncoding,
        quoting,
        record::{self, Cut, Escape, Record, Scan},
        skip::Skip,
    },
};

/// The largest file that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub rows: u64,
    pub bytes: u64,
    pub columns: usize,
    pub cell_bytes: usize,
}

impl Default for Limits {
    /// 500,000 rows, 100 MB, 512 columns, 64 KB a cell; rows and bytes can be raised.
    fn default() -> Self {
        Self { rows: 500_000, bytes: 100 * 1024 * 1024, columns: 512, cell_bytes: 64 * 1024 }
    }
}

/// How bytes become cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    pub delimiter: u8,
    pub encoding: TextEncoding,
}

/// Bytes of a row at most: a longer one is not a row of leads.
const ROW_BYTES: usize = 4 * 1024 * 1024;

/// The position of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The line on which it begins.
    pub line: u64,
    /// Byte offset and line after it.
    pub next_offset: u64,
    pub next_line: u64,
    pub fault: Option<RowFault>,
    /// It has fewer cells than the header; the missing ones are empty.
    pub short: bool,
}

/// The result of one step of the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A row; its cells are in `RowReader::cells`.
    Row(Row),
    /// The next row needs more bytes: push them, or call `finish`.
    More,
    End,
}

/// Reads rows out of pushed bytes.
pub struct RowReader {
    buffer: Vec<u8>,
    start: usize,
    /// Bytes that must be buffered before the row is scanned again.
    rescan_at: usize,
    finished: bool,
    offset: u64,
    line: u64,
    dialect: Dialect,
    /// From UTF-16 to UTF-8; offsets count the bytes of the file.
    wide: Option<Decoder>,
    columns: Option<usize>,
    limits: Limits,
    cells: Cells,
    /// The record at `offset` is too long to buffer.
    skip: Option<Skip>,
}

impl RowReader {
    /// Reads from byte `offset`, which is the start of `line`. Without `columns` the number of cells is not checked.
    pub fn new(dialect: Dialect, columns: Option<usize>, limits: Limits, offset: u64, line: u64) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            rescan_at: 0,
            finished: false,
            offset,
            line,
            wide: dialect.encoding.wide_decoder(),
            dialect,
            columns,
            limits,
            cells: Cells::default(),
            skip: None,
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        match &mut self.wide {
            None => self.buffer.extend_from_slice(bytes),
            Some(decoder) => append_decoded(decoder, bytes, false, &mut self.buffer),
        }
    }

    /// Marks the end of the file. Some programs end a file with 0x1A.
    pub fn finish(&mut self) {
        if let (Some(decoder), false) = (&mut self.wide, self.finished) {
            append_decoded(decoder, &[], true, &mut self.buffer);
        }
        self.finished = true;
        while self.buffer.len() > self.start && self.buffer.last() == Some(&0x1a) {
            self.buffer.pop();
        }
    }

    /// The cells of the last row that `step` returned.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Reads the next row; skips blank ones.
    pub fn step(&mut self) -> Step {
        loop {
            if self.skip.is_some() {
                return self.skip_record();
            }
            if !self.skip_empty_lines() {
                return if self.finished { Step::End } else { Step::More };
            }
            let rest = &self.buffer[self.start..];
            if rest.len() < self.rescan_at && !self.finished {
                return Step::More;
            }
            match self.scan().cut(rest, &mut self.cells) {
                Cut::More if rest.len() > ROW_BYTES => self.skip = Some(Skip::new(self.dialect.delimiter)),
                Cut::More => {
                    // A scan after each push would be quadratic for a long record.
                    self.rescan_at = rest.len() * 2;
                    return Step::More;
                }
                Cut::Record(record) if self.cells.blank() && !record.oversized => {
                    self.advance(record.bytes, record.lines)
                }
                Cut::Record(record) => return self.record(record),
                Cut::Unclosed { lines } => return self.unclosed(lines),
            }
        }
    }

    fn scan(&self) -> Scan {
        let (delimiter, longest) = (self.dialect.delimiter, self.limits.cell_bytes);
        Scan { delimiter, longest, escape: Escape::Doubled, last: self.finished }
    }

    fn record(&mut self, mut record: Record) -> Step {
        if record.loose {
            let line = &self.buffer[self.start..][..record.bytes];
            let columns = self.columns.filter(|_| self.dialect.encoding.backslash_is_itself());
            match record::reread(line, record, self.scan(), columns, &mut self.cells) {
                Some(again) => record = again,
                // The backslash reading may be a shorter record: quotes run on over the next lines in the other one.
                None => match self.backslashed() {
                    Some(again) => record = again,
                    None => return self.emit(record, Some(RowFault::LooseQuote)),
                },
            }
        }
        let fault = if record.oversized { Some(self.oversized()) } else { self.fault() };
        self.emit(record, fault)
    }

    fn backslashed(&mut self) -> Option<Record> {
        let rest = &self.buffer[self.start..];
        let readable = self.dialect.encoding.backslash_is_itself();
        let scan = self.scan();
        readable.then(|| record::backslashed(rest, scan, self.columns, &mut self.cells)).flatten()
    }

    /// The file ends inside quotes: everything after the opening one is of this record.
    fn unclosed(&mut self, lines: u64) -> Step {
        if let Some(record) = self.backslashed() {
            return self.record(record);
        }
        self.cells.end();
        let bytes = self.buffer.len() - self.start;
        self.emit(Record { bytes, lines, ..Record::default() }, Some(RowFault::UnclosedQuote { lines }))
    }

    fn skip_record(&mut self) -> Step {
        let skip = self.skip.as_mut().expect("a record is skipped");
        let (bytes, mut ended) = skip.consume(&self.buffer[self.start..]);
        ended |= self.finished;
        let (lines, closed) = (skip.lines, skip.closed());
        let line = self.line;
        self.advance(bytes, 0);
        if !ended {
            return Step::More;
        }
        self.skip = None;
        self.line += lines + 1;
        self.cells.end();
        let fault = if closed { self.oversized() } else { RowFault::UnclosedQuote { lines: lines + 1 } };
        let (next_offset, next_line) = (self.offset, self.line);
        Step::Row(Row { line, next_offset, next_line, fault: Some(fault), short: false })
    }

    fn oversized(&self) -> RowFault {
        RowFault::OversizedCell { limit: u32::try_from(self.limits.cell_bytes).unwrap_or(u32::MAX) }
    }

    fn fault(&self) -> Option<RowFault> {
        if self.cells.bytes().contains(&0) {
            return Some(RowFault::NulByte);
        }
        if quoting::spans_cells(&self.cells) {
            return Some(RowFault::AmbiguousQuote);
        }
        let expected = self.columns?;
        let found = self.cells.len();
        // Spreadsheets add empty cells at the end.
        let beyond = (expected..found).any(|i| !self.cells.get(i).trim_ascii().is_empty());
        let counts = (u32::try_from(found).unwrap_or(u32::MAX), u32::try_from(expected).unwrap_or(u32::MAX));
        beyond.then_some(RowFault::TooManyCells { found: counts.0, expected: counts.1 })
    }

    fn emit(&mut self, record: Record, fault: Option<RowFault>) -> Step {
        let line = self.line;
        self.advance(record.bytes, record.lines);
        let short = fault.is_none() && self.columns.is_some_and(|columns| self.cells.len() < columns);
        Step::Row(Row { line, next_offset: self.offset, next_line: self.line, fault, short })
    }

    fn advance(&mut self, bytes: usize, lines: u64) {
        let read = &self.buffer[self.start..][..bytes];
        self.offset += if self.wide.is_some() { utf16_bytes(read) } else { bytes as u64 };
        self.start += bytes;
        self.line += lines;
        self.rescan_at = 0;
    }

    /// Skips empty lines; false when nothing else is buffered.
    fn skip_empty_lines(&mut self) -> bool {
        let rest = &self.buffer[self.start..];
        let blank = rest.iter().position(|b| !matches!(b, b'\n' | b'\r' | b' ' | b'\t'));
        let end = blank.unwrap_or(rest.len());
        // Spaces before the first cell belong to the record.
        let lines_end = rest[..end].iter().rposition(|b| matches!(b, b'\n' | b'\r')).map_or(0, |at| at + 1);
        let incomplete = blank.is_none() && !self.finished && rest.get(lines_end.wrapping_sub(1)) == Some(&b'\r');
        let take = if incomplete { lines_end - 1 } else { lines_end };
        let lines = count_lines(&rest[..take]);
        if take > 0 {
            self.advance(take, lines);
        }
        blank.is_some()
    }
}

/// Bytes that the text has in UTF-16.
fn utf16_bytes(text: &[u8]) -> u64 {
    // Each character counts by its first byte in UTF-8: those of four bytes are two units.
    text.iter()
        .map(|b| {
            if *b & 0xc0 == 0x80 {
                0
            } else if *b >= 0xf0 {
                4
            } else {
                2
            }
        })
        .sum()
}

fn append_decoded(decoder: &mut Decoder, bytes: &[u8], last: bool, out: &mut Vec<u8>) {
    let room = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len() * 3 + 16);
    let start = out.len();
    out.resize(start + room, 0);
    let (_, _, written, _) = decoder.decode_to_utf8(bytes, &mut out[start..], last);
    out.truncate(start + written);
}

#[cfg(test)]
mod tests;
