//! Cuts one record out of a buffer. A record is what its quotes say: it ends at the first line end outside quotes.
//!
//! Not the `csv` crate: a faulty record must be refused alone, hand-made quoting must be read as meant or refused, and every
//! record needs its byte offset and line, so that a block can start where the previous one ended.

use crate::read::csv_text::{Cells, count_lines};

/// How quotes within quotes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// `""`
    Doubled,
    /// `\"`
    Backslash,
}

/// The result of scanning a buffer for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Record(Record),
    /// The record does not end in this buffer, and more bytes may come.
    More,
    /// The file ends inside quotes.
    Unclosed {
        lines: u64,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Record {
    /// With the line end.
    pub bytes: usize,
    pub lines: u64,
    /// A cell has text after its closing quote.
    pub loose: bool,
    /// A cell is longer than allowed; only its beginning was kept.
    pub oversized: bool,
}

/// What a scan needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Scan {
    pub delimiter: u8,
    pub longest: usize,
    pub escape: Escape,
    /// The buffer ends with the file.
    pub last: bool,
}

impl Scan {
    /// Cuts the first record out of `buffer` into `cells`.
    pub fn cut(self, buffer: &[u8], cells: &mut Cells) -> Cut {
        cells.clear();
        let (mut at, mut record) = (0, Record { lines: 1, ..Record::default() });
        loop {
            match self.opening(buffer, at) {
                Opening::None => {}
                Opening::Unknown => return Cut::More,
                Opening::Quote(first) => match self.quoted(buffer, first, cells, &mut record) {
                    Some(after) => at = self.after_quote(buffer, after, &mut record),
                    None if self.last => return Cut::Unclosed { lines: record.lines },
                    None => return Cut::More,
                },
            }
            let plain = &buffer[at..];
            let stop = memchr::memchr3(self.delimiter, b'\n', b'\r', plain);
            let stop = stop.unwrap_or(plain.len());
            cells.push(&plain[..stop]);
            record.oversized |= cells.shorten(self.longest);
            at += stop;
            match buffer.get(at) {
                Some(b) if *b == self.delimiter => {
                    cells.end();
                    at += 1;
                }
                Some(b'\r') if at + 1 == buffer.len() && !self.last => return Cut::More,
                Some(b) => {
                    let pair = *b == b'\r' && buffer.get(at + 1) == Some(&b'\n');
                    record.bytes = at + 1 + usize::from(pair);
                    break;
                }
                None if self.last => {
                    record.bytes = at;
                    break;
                }
                None => return Cut::More,
            }
        }
        cells.end();
        Cut::Record(record)
    }

    /// Whether a cell opens with a quote: `"`, spaces and `"`, or `="`.
    fn opening(self, buffer: &[u8], at: usize) -> Opening {
        let blanks = |b: &u8| *b == b' ' || (*b == b'\t' && self.delimiter != b'\t');
        let first = match buffer.get(at) {
            Some(b'"') => return Opening::Quote(at + 1),
            Some(b) if blanks(b) => at + buffer[at..].iter().position(|b| !blanks(b)).unwrap_or(buffer.len() - at),
            Some(b'=') => at,
            Some(_) => return Opening::None,
            None => at,
        };
        match &buffer[first.min(buffer.len())..] {
            [b'"', ..] => Opening::Quote(first + 1),
            [b'=', b'"', ..] => Opening::Quote(first + 2),
            [] | [b'='] if !self.last => Opening::Unknown,
            _ => Opening::None,
        }
    }

    /// Reads a cell from after its opening quote; returns the index after the closing one.
    fn quoted(self, buffer: &[u8], mut at: usize, cells: &mut Cells, record: &mut Record) -> Option<usize> {
        loop {
            let rest = &buffer[at..];
            let Some(quote) = memchr::memchr(b'"', rest) else {
                record.lines += count_lines(rest);
                cells.push(rest);
                record.oversized |= cells.shorten(self.longest);
                return None;
            };
            record.lines += count_lines(&rest[..quote]);
            let escaped = self.escape == Escape::Backslash && rest[..quote].ends_with(b"\\");
            cells.push(&rest[..quote - usize::from(escaped)]);
            record.oversized |= cells.shorten(self.longest);
            at += quote + 1;
            let doubled = self.escape == Escape::Doubled && buffer.get(at) == Some(&b'"');
            if !escaped && !doubled {
                // A quote at the end of the buffer may be the first of a doubled one: the caller scans again with more bytes.
                return (at < buffer.len() || self.last).then_some(at);
            }
            cells.push(b"\"");
            at += usize::from(doubled);
        }
    }

    /// Skips blanks between a closing quote and the end of the cell; anything else there makes the record loose.
    fn after_quote(self, buffer: &[u8], at: usize, record: &mut Record) -> usize {
        let blanks =
            buffer[at..].iter().take_while(|b| **b == b' ' || (**b == b'\t' && self.delimiter != b'\t')).count();
        match buffer.get(at + blanks) {
            None => at + blanks,
            Some(b) if *b == self.delimiter || *b == b'\r' || *b == b'\n' => at + blanks,
            Some(_) => {
                record.loose = true;
                at
            }
        }
    }
}

enum Opening {
    None,
    /// Index after the quote.
    Quote(usize),
    /// More bytes decide.
    Unknown,
}

/// Reads a record whose quotes are not as they should be: as it is meant if only one reading is possible. `line` is the record
/// with its line end, `cells` holds the lenient reading.
pub fn reread(line: &[u8], record: Record, scan: Scan, columns: Option<usize>, cells: &mut Cells) -> Option<Record> {
    let scan = Scan { last: true, ..scan };
    let escaped = line.windows(2).any(|pair| pair == b"\\\"");
    if escaped && let Some(again) = backslashed(line, scan, columns, cells).filter(|again| again.bytes == line.len()) {
        return Some(again);
    }
    (record.lines == 1 && literal(line, scan.delimiter, cells)).then_some(Record { loose: false, ..record })
}

/// `Joe "Ace" Smith`: no delimiter stands inside the quotes, so the quotes are text.
fn literal(line: &[u8], delimiter: u8, cells: &mut Cells) -> bool {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let parts: Vec<&[u8]> = line.split(|b| *b == delimiter).collect();
    let balanced = parts.iter().all(|part| part.iter().filter(|b| **b == b'"').count() % 2 == 0);
    let same = balanced && parts.len() == cells.len();
    if same {
        cells.clear();
        for part in parts {
            cells.push(unquoted(part).as_deref().unwrap_or(part));
            cells.end();
        }
    }
    same
}

/// A part that is a well quoted cell, without its quotes.
fn unquoted(part: &[u8]) -> Option<Vec<u8>> {
    let inner = part.trim_ascii().strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let text = String::from_utf8_lossy(inner);
    // A single quote inside ends the cell: then the quotes are text.
    (!text.replace("\"\"", "").contains('"')).then(|| {
        let mut out = Vec::with_capacity(inner.len());
        let mut quote = false;
        for b in inner {
            quote = *b == b'"' && !quote;
            if !quote {
                out.push(*b);
            }
        }
        out
    })
}

/// `"Joe \"Ace\" Smith, Inc"`: accepted only when it gives exactly the cells of the header.
pub fn backslashed(buffer: &[u8], scan: Scan, columns: Option<usize>, cells: &mut Cells) -> Option<Record> {
    let mut again = Cells::default();
    match (Scan { escape: Escape::Backslash, ..scan }).cut(buffer, &mut again) {
        Cut::Record(record) if !record.loose && columns.is_none_or(|columns| columns == again.len()) => {
            *cells = again;
            Some(record)
        }
        _ => None,
    }
}
