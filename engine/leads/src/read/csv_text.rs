//! CSV as bytes: cuts one record out of a buffer, and decodes cells as UTF-8 or else as Windows-1252.
//!
//! Not the `csv` crate: a quote that is never closed must break one line, not the rest of the file, and every record needs
//! its byte offset and line, so that a block can start where the previous one ended.

/// The unquoted cells of one record in one buffer.
#[derive(Debug, Default)]
pub struct Cells {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Cells {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|i| self.get(i))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn end(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Length in bytes of the unfinished cell.
    fn open_len(&self) -> usize {
        self.bytes.len() - self.ends.last().copied().unwrap_or(0)
    }
}

/// The result of scanning a buffer for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// A record of `bytes` bytes with its line end, over `lines` lines. `loose`: a cell has text after its closing quote.
    Record { bytes: usize, lines: u64, loose: bool },
    /// The record does not end in this buffer, and more bytes may come.
    More,
    /// The file ends inside quotes.
    Unclosed,
    /// A cell is longer than allowed; `lines` counts the quoted line ends so far.
    TooLong { column: usize, lines: u64 },
}

/// Cuts the first record out of `buffer` into `cells`. `last`: the buffer ends with the file.
pub fn cut(buffer: &[u8], delimiter: u8, longest: usize, last: bool, cells: &mut Cells) -> Cut {
    cells.clear();
    let (mut at, mut lines, mut loose) = (0, 0, false);
    loop {
        if buffer.get(at) == Some(&b'"') {
            at += 1;
            match quoted(buffer, at, longest, cells, &mut lines) {
                Quoted::Closed(next) => {
                    at = next;
                    let rest = buffer.get(at).copied();
                    loose |= rest.is_some_and(|b| b != delimiter && b != b'\r' && b != b'\n');
                }
                Quoted::Open if last => return Cut::Unclosed,
                Quoted::Open => return Cut::More,
                Quoted::TooLong => return Cut::TooLong { column: cells.len() + 1, lines },
            }
        }
        let plain = &buffer[at..];
        let stop = plain.iter().position(|b| *b == delimiter || *b == b'\n' || *b == b'\r').unwrap_or(plain.len());
        cells.bytes.extend_from_slice(&plain[..stop]);
        if cells.open_len() > longest {
            return Cut::TooLong { column: cells.len() + 1, lines };
        }
        at += stop;
        match buffer.get(at) {
            Some(b) if *b == delimiter => {
                cells.end();
                at += 1;
            }
            Some(b'\r') if at + 1 == buffer.len() && !last => return Cut::More,
            Some(b) => {
                cells.end();
                let pair = *b == b'\r' && buffer.get(at + 1) == Some(&b'\n');
                return Cut::Record { bytes: at + 1 + usize::from(pair), lines: lines + 1, loose };
            }
            None if last => {
                cells.end();
                return Cut::Record { bytes: at, lines: lines + 1, loose };
            }
            None => return Cut::More,
        }
    }
}

enum Quoted {
    /// Index after the closing quote.
    Closed(usize),
    Open,
    TooLong,
}

/// Reads a cell from after its opening quote.
fn quoted(buffer: &[u8], mut at: usize, longest: usize, cells: &mut Cells, lines: &mut u64) -> Quoted {
    loop {
        let rest = &buffer[at..];
        let Some(quote) = rest.iter().position(|b| *b == b'"') else {
            *lines += count_lines(rest);
            return if cells.open_len() + rest.len() > longest { Quoted::TooLong } else { Quoted::Open };
        };
        *lines += count_lines(&rest[..quote]);
        cells.bytes.extend_from_slice(&rest[..quote]);
        if cells.open_len() > longest {
            return Quoted::TooLong;
        }
        at += quote + 1;
        match buffer.get(at) {
            Some(b'"') => {
                cells.bytes.push(b'"');
                at += 1;
            }
            // A quote at the end of the buffer may be the first of a doubled one: the caller scans again with more bytes.
            _ => return Quoted::Closed(at),
        }
    }
}

/// Line ends: `\n`, `\r\n` or a lone `\r`.
pub fn count_lines(bytes: &[u8]) -> u64 {
    let ends = bytes.iter().enumerate().filter(|(i, b)| match b {
        b'\n' => true,
        b'\r' => bytes.get(i + 1) != Some(&b'\n'),
        _ => false,
    });
    ends.count() as u64
}

/// The trimmed text of a cell: UTF-8, or Windows-1252 when the bytes are not UTF-8. Decided for each cell, so that a block
/// does not depend on the blocks before it.
pub fn decode(cell: &[u8]) -> String {
    match std::str::from_utf8(cell) {
        Ok(text) => text.trim().to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(cell).0.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, last: bool) -> (Cut, Vec<String>) {
        let mut cells = Cells::default();
        let cut = cut(text.as_bytes(), b',', 20, last, &mut cells);
        (cut, cells.iter().map(super::decode).collect())
    }

    #[test]
    fn records() {
        let record = |bytes, lines| Cut::Record { bytes, lines, loose: false };
        for (text, cut, cells) in [
            ("a,b\nc", record(4, 1), vec!["a", "b"]),
            ("a,b\r\nc", record(5, 1), vec!["a", "b"]),
            ("a,b\rc", record(4, 1), vec!["a", "b"]),
            ("a,b", record(3, 1), vec!["a", "b"]),
            ("a,\n", record(3, 1), vec!["a", ""]),
            ("\"a,\"\"b\"\"\",c\n", record(12, 1), vec!["a,\"b\"", "c"]),
            ("\"a\r\nb\",c\n", record(9, 2), vec!["a\r\nb", "c"]),
            ("5\" pipe,b\n", record(10, 1), vec!["5\" pipe", "b"]),
            ("\"\",b\n", record(5, 1), vec!["", "b"]),
        ] {
            assert_eq!(read(text, true), (cut, cells.into_iter().map(String::from).collect()), "{text:?}");
        }
        assert_eq!(read("\"a\" b,c\n", true).0, Cut::Record { bytes: 8, lines: 1, loose: true });
    }

    #[test]
    fn unfinished_records() {
        assert_eq!(read("a,b", false).0, Cut::More);
        assert_eq!(read("a,b\r", false).0, Cut::More);
        assert_eq!(read("\"a,b\n", false).0, Cut::More);
        assert_eq!(read("\"a\"", false).0, Cut::More);
        assert_eq!(read("\"a,b\nc,d\n", true).0, Cut::Unclosed);
        assert_eq!(read("a,123456789012345678901,b\n", true).0, Cut::TooLong { column: 2, lines: 0 });
        assert_eq!(read("\"1234567890\n123456789012,b\n", false).0, Cut::TooLong { column: 1, lines: 2 });
    }

    #[test]
    fn windows_1252() {
        assert_eq!(decode(b" Caf\xe9 \x96 \x80 "), "Café – €");
        assert_eq!(decode("Café".as_bytes()), "Café");
    }
}
