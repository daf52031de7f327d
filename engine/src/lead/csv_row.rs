//! Rows of an uploaded CSV, from any byte offset: bytes are pushed in, rows with line and offset come out. Memory is bounded by one row.

use serde::{Deserialize, Serialize};

use super::csv_text::{Cells, Cut, count_lines, cut};

/// What a file may hold.
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

/// Why a row cannot be read as one: the lead is refused at VALIDATE as `malformed_row`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fault")]
pub enum RowFault {
    /// Fewer cells than the header.
    TooFewCells { found: u32, expected: u32 },
    /// More cells than the header.
    TooManyCells { found: u32, expected: u32 },
    /// A quote that opens and never closes, or closes in another row.
    UnclosedQuote,
    /// A zero byte.
    NulByte,
}

impl RowFault {
    /// What was expected instead, for the report.
    pub fn expected(self) -> String {
        match self {
            Self::TooFewCells { found, expected } | Self::TooManyCells { found, expected } => {
                format!("{expected} cells as in the header, found {found}")
            }
            Self::UnclosedQuote => "a closing quote on the same row".into(),
            Self::NulByte => "text without zero bytes".into(),
        }
    }
}

/// What stops the reading of a file: memory is bounded by one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: longer than {limit} bytes")]
pub struct CellTooLong {
    pub line: u64,
    pub column: usize,
    /// Of one cell, or of one row.
    pub limit: usize,
}

/// No row of real leads is longer; what is, is no CSV.
const ROW_BYTES: usize = 4 * 1024 * 1024;

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Line on which it begins.
    pub line: u64,
    /// Byte offset and line behind it.
    pub next_offset: u64,
    pub next_line: u64,
    pub fault: Option<RowFault>,
}

/// One answer of the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its cells are in `RowReader::cells`.
    Row(Row),
    /// Push more bytes, or `finish`.
    More,
    End,
}

/// Reads rows out of pushed bytes.
#[derive(Debug)]
pub struct RowReader {
    buffer: Vec<u8>,
    start: usize,
    /// Bytes that the buffer must hold before another look is worth while.
    look_at: usize,
    finished: bool,
    offset: u64,
    line: u64,
    delimiter: u8,
    columns: Option<usize>,
    limits: Limits,
    cells: Cells,
}

impl RowReader {
    /// Reads from the byte `offset`, which is the start of `line`. Without `columns` no row is too short or too long.
    pub fn new(delimiter: u8, columns: Option<usize>, limits: Limits, offset: u64, line: u64) -> Self {
        let (buffer, cells) = (Vec::new(), Cells::default());
        Self { buffer, start: 0, look_at: 0, finished: false, offset, line, delimiter, columns, limits, cells }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// No more bytes will come.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// The cells of the row that was answered last.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// The next row. Empty lines are no rows.
    pub fn step(&mut self) -> Result<Step, CellTooLong> {
        if !self.skip_empty_lines() {
            return Ok(if self.finished { Step::End } else { Step::More });
        }
        let rest = &self.buffer[self.start..];
        if rest.len() < self.look_at && !self.finished {
            return Ok(Step::More);
        }
        // A quote at the very end of what is there may be doubled: a record that ends with the buffer is looked at again.
        match cut(rest, self.delimiter, self.limits.cell_bytes, self.finished, &mut self.cells) {
            Cut::More if rest.len() > ROW_BYTES => {
                Err(CellTooLong { line: self.line, column: self.cells.len() + 1, limit: ROW_BYTES })
            }
            Cut::More => {
                // Looking again at each push would be quadratic for a long record.
                self.look_at = rest.len() * 2;
                Ok(Step::More)
            }
            Cut::Record { bytes, lines, loose } => Ok(self.record(bytes, lines, loose)),
            Cut::Unclosed => Ok(self.first_line(RowFault::UnclosedQuote)),
            Cut::TooLong { lines: 1.., .. } => Ok(self.first_line(RowFault::UnclosedQuote)),
            Cut::TooLong { column, .. } => Err(CellTooLong { line: self.line, column, limit: self.limits.cell_bytes }),
        }
    }

    fn record(&mut self, bytes: usize, lines: u64, loose: bool) -> Step {
        let fault = self.judge();
        // A row over several lines that does not fit: a quote was opened by mistake, and other rows are inside it.
        if lines > 1 && (loose || fault.is_some()) {
            return self.first_line(RowFault::UnclosedQuote);
        }
        self.taken(bytes, lines, fault)
    }

    fn judge(&self) -> Option<RowFault> {
        if self.cells.bytes().contains(&0) {
            return Some(RowFault::NulByte);
        }
        let expected = self.columns?;
        let found = self.cells.len();
        let counts = (u32::try_from(found).unwrap_or(u32::MAX), u32::try_from(expected).unwrap_or(u32::MAX));
        if found < expected {
            return Some(RowFault::TooFewCells { found: counts.0, expected: counts.1 });
        }
        // Spreadsheets leave empty cells at the end.
        let beyond = (expected..found).any(|i| !self.cells.get(i).trim_ascii().is_empty());
        beyond.then_some(RowFault::TooManyCells { found: counts.0, expected: counts.1 })
    }

    /// The record is its first line alone; the next one begins on the line below.
    fn first_line(&mut self, fault: RowFault) -> Step {
        let rest = &self.buffer[self.start..];
        let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r')).map_or(rest.len(), |at| {
            let pair = rest[at] == b'\r' && rest.get(at + 1) == Some(&b'\n');
            at + 1 + usize::from(pair)
        });
        // The cells of the broken line, as far as commas tell, for whoever mends it.
        let line: Vec<u8> = rest[..end].iter().copied().filter(|b| *b != b'"').collect();
        cut(&line, self.delimiter, usize::MAX, true, &mut self.cells);
        self.taken(end, 1, Some(fault))
    }

    fn taken(&mut self, bytes: usize, lines: u64, fault: Option<RowFault>) -> Step {
        let line = self.line;
        self.advance(bytes, lines);
        Step::Row(Row { line, next_offset: self.offset, next_line: self.line, fault })
    }

    fn advance(&mut self, bytes: usize, lines: u64) {
        self.start += bytes;
        self.offset += bytes as u64;
        self.line += lines;
        self.look_at = 0;
    }

    /// Whether something that is no empty line is there.
    fn skip_empty_lines(&mut self) -> bool {
        let rest = &self.buffer[self.start..];
        let blank = rest.iter().position(|b| !matches!(b, b'\n' | b'\r' | b' ' | b'\t'));
        let end = blank.unwrap_or(rest.len());
        // Spaces before a record's first cell belong to the record.
        let lines_end = rest[..end].iter().rposition(|b| matches!(b, b'\n' | b'\r')).map_or(0, |at| at + 1);
        let undecided = blank.is_none() && !self.finished && rest.get(lines_end.wrapping_sub(1)) == Some(&b'\r');
        let take = if undecided { lines_end - 1 } else { lines_end };
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
    use crate::lead::csv_text;

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
                    let cells: Vec<_> = reader.cells().iter().map(csv_text::text).collect();
                    let mark = if row.fault.is_some() { "!" } else { "" };
                    rows.push(format!("{mark}{}: {}", row.line, cells.join("|")));
                }
            }
        }
    }

    #[test]
    fn rows_are_the_same_however_the_bytes_arrive() {
        let text = "a,b,c\r\n\r\n  \n\"d,d\",\"e\ne\",f\r\n\n1,2\n1,2,3,4\n1,2,3,,\nx,\"broken,z\ng,h,i\n\"j\",\"k\",l\n,,\nn\0,o,p\nq,\"r,s";
        let want = [
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
            assert_eq!(rows(text, chunk), want, "chunks of {chunk}");
        }
    }

    #[test]
    fn any_row_can_be_started_from() {
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
    fn a_cell_that_does_not_end_is_an_error_with_its_line() {
        let mut reader = RowReader::new(b',', None, LIMITS, 0, 1);
        reader.push(format!("a\nb,{}\n", "x".repeat(61)).as_bytes());
        assert!(matches!(reader.step(), Ok(Step::Row(_))));
        assert_eq!(reader.step(), Err(CellTooLong { line: 2, column: 2, limit: 60 }));
    }
}
