//! Rows of a CSV file, read from any byte offset: the caller pushes bytes and gets rows with line and offset. Memory is
//! bounded by one row.

use crate::{
    lead::rejection::RowFault,
    read::csv_text::{Cells, Cut, count_lines, cut},
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
    /// 500,000 rows, 100 MB, 512 columns, 64 KB a cell (`domain.md` 3.5); rows and bytes can be raised.
    fn default() -> Self {
        Self { rows: 500_000, bytes: 100 * 1024 * 1024, columns: 512, cell_bytes: 64 * 1024 }
    }
}

/// A cell or row that is too long; reading stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: longer than {limit} bytes")]
pub struct CellTooLong {
    pub line: u64,
    pub column: usize,
    /// In bytes, of a cell or of a row.
    pub limit: usize,
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
#[derive(Debug)]
pub struct RowReader {
    buffer: Vec<u8>,
    start: usize,
    /// Bytes that must be buffered before the row is scanned again.
    rescan_at: usize,
    finished: bool,
    offset: u64,
    line: u64,
    delimiter: u8,
    columns: Option<usize>,
    limits: Limits,
    cells: Cells,
}

impl RowReader {
    /// Reads from byte `offset`, which is the start of `line`. Without `columns` the number of cells is not checked.
    pub fn new(delimiter: u8, columns: Option<usize>, limits: Limits, offset: u64, line: u64) -> Self {
        let (buffer, cells) = (Vec::new(), Cells::default());
        Self { buffer, start: 0, rescan_at: 0, finished: false, offset, line, delimiter, columns, limits, cells }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Marks the end of the file.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// The cells of the last row that `step` returned.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// Reads the next row; skips empty lines.
    pub fn step(&mut self) -> Result<Step, CellTooLong> {
        if !self.skip_empty_lines() {
            return Ok(if self.finished { Step::End } else { Step::More });
        }
        let rest = &self.buffer[self.start..];
        if rest.len() < self.rescan_at && !self.finished {
            return Ok(Step::More);
        }
        // A quote at the end of the buffer may be the first of a doubled one: such a record is scanned again with more bytes.
        match cut(rest, self.delimiter, self.limits.cell_bytes, self.finished, &mut self.cells) {
            Cut::More if rest.len() > ROW_BYTES => {
                Err(CellTooLong { line: self.line, column: self.cells.len() + 1, limit: ROW_BYTES })
            }
            Cut::More => {
                // A scan after each push would be quadratic for a long record.
                self.rescan_at = rest.len() * 2;
                Ok(Step::More)
            }
            Cut::Record { bytes, lines, loose } => Ok(self.record(bytes, lines, loose)),
            Cut::Unclosed => Ok(self.first_line(RowFault::UnclosedQuote)),
            Cut::TooLong { lines: 1.., .. } => Ok(self.first_line(RowFault::UnclosedQuote)),
            Cut::TooLong { column, .. } => Err(CellTooLong { line: self.line, column, limit: self.limits.cell_bytes }),
        }
    }

    fn record(&mut self, bytes: usize, lines: u64, loose: bool) -> Step {
        let fault = self.fault();
        // A malformed row over several lines: the quote was opened by mistake and encloses further rows.
        if lines > 1 && (loose || fault.is_some()) {
            return self.first_line(RowFault::UnclosedQuote);
        }
        self.emit(bytes, lines, fault)
    }

    fn fault(&self) -> Option<RowFault> {
        if self.cells.bytes().contains(&0) {
            return Some(RowFault::NulByte);
        }
        let expected = self.columns?;
        let found = self.cells.len();
        let counts = (u32::try_from(found).unwrap_or(u32::MAX), u32::try_from(expected).unwrap_or(u32::MAX));
        if found < expected {
            return Some(RowFault::TooFewCells { found: counts.0, expected: counts.1 });
        }
        // Spreadsheets add empty cells at the end.
        let beyond = (expected..found).any(|i| !self.cells.get(i).trim_ascii().is_empty());
        beyond.then_some(RowFault::TooManyCells { found: counts.0, expected: counts.1 })
    }

    /// Takes only the first line as the record; the next record begins on the line after it.
    fn first_line(&mut self, fault: RowFault) -> Step {
        let rest = &self.buffer[self.start..];
        let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r')).map_or(rest.len(), |at| {
            let pair = rest[at] == b'\r' && rest.get(at + 1) == Some(&b'\n');
            at + 1 + usize::from(pair)
        });
        // The cells of the malformed line, split at delimiters only, for the report.
        let line: Vec<u8> = rest[..end].iter().copied().filter(|b| *b != b'"').collect();
        cut(&line, self.delimiter, usize::MAX, true, &mut self.cells);
        self.emit(end, 1, Some(fault))
    }

    fn emit(&mut self, bytes: usize, lines: u64, fault: Option<RowFault>) -> Step {
        let line = self.line;
        self.advance(bytes, lines);
        Step::Row(Row { line, next_offset: self.offset, next_line: self.line, fault })
    }

    fn advance(&mut self, bytes: usize, lines: u64) {
        self.start += bytes;
        self.offset += bytes as u64;
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
        self.advance_blank(take, lines);
        blank.is_some()
    }

    fn advance_blank(&mut self, bytes: usize, lines: u64) {
        if bytes > 0 {
            self.advance(bytes, lines);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::csv_text;

    const LIMITS: Limits = Limits { rows: 100, bytes: 10_000, columns: 10, cell_bytes: 60 };

    /// `line: cell|cell` of each row, `!` before a malformed one, read in chunks of `chunk` bytes.
    fn rows(text: &str, chunk: usize) -> Vec<String> {
        let mut reader = RowReader::new(b',', Some(3), LIMITS, 0, 1);
        let mut chunks = text.as_bytes().chunks(chunk);
        let mut rows = Vec::new();
        loop {
            match reader.step().unwrap() {
                Step::End => return rows,
                Step::More => match chunks.next() {
                    Some(bytes) => reader.push(bytes),
                    None => reader.finish(),
                },
                Step::Row(row) => {
                    let cells: Vec<_> = reader.cells().iter().map(csv_text::decode).collect();
                    let mark = if row.fault.is_some() { "!" } else { "" };
                    rows.push(format!("{mark}{}: {}", row.line, cells.join("|")));
                }
            }
        }
    }

    #[test]
    fn rows_do_not_depend_on_chunk_sizes() {
        let text = "a,b,c\r\n\r\n  \n\"d,d\",\"e\ne\",f\r\n\n1,2\n1,2,3,4\n1,2,3,,\nx,\"broken,z\ng,h,i\n\"j\",\"k\",l\n,,\nn\0,o,p\nq,\"r,s";
        let expected = [
            "1: a|b|c",
            "4: d,d|e\ne|f",
            "!7: 1|2",
            "!8: 1|2|3|4",
            "9: 1|2|3||",
            "!10: x|broken|z",
            "11: g|h|i",
            "12: j|k|l",
            "13: ||",
            "!14: n\0|o|p",
            "!15: q|r|s",
        ];
        for chunk in [1, 2, 3, 7, 1000] {
            assert_eq!(rows(text, chunk), expected, "chunks of {chunk}");
        }
    }

    #[test]
    fn reading_can_start_at_any_row() {
        let text = "a,b,c\r\n\"d\nd\",e,f\r\n\r\ng,h,i";
        let mut reader = RowReader::new(b',', Some(3), LIMITS, 0, 1);
        reader.push(text.as_bytes());
        reader.finish();
        let mut starts = vec![(0, 1)];
        while let Step::Row(row) = reader.step().unwrap() {
            starts.push((row.next_offset, row.next_line));
        }
        assert_eq!(starts, [(0, 1), (7, 2), (18, 4), (25, 6)]);
        let mut reader = RowReader::new(b',', Some(3), LIMITS, 18, 4);
        reader.push(&text.as_bytes()[18..]);
        reader.finish();
        assert!(matches!(reader.step().unwrap(), Step::Row(Row { line: 5, next_offset: 25, fault: None, .. })));
    }

    #[test]
    fn a_cell_that_is_too_long_is_an_error_with_its_line() {
        let mut reader = RowReader::new(b',', None, LIMITS, 0, 1);
        reader.push(format!("a\nb,{}\n", "x".repeat(61)).as_bytes());
        assert!(matches!(reader.step(), Ok(Step::Row(_))));
        assert_eq!(reader.step(), Err(CellTooLong { line: 2, column: 2, limit: 60 }));
    }
}
