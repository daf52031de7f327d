//! The header of a CSV file: encoding, delimiter, columns, and where the rows begin.

use crate::read::{
    csv_row::{Dialect, Limits, RowReader, Step},
    encoding::{self, TextEncoding},
    layout::{HeaderChoice, Layout, ReadOptions, delimiter_byte},
    mapping::{Mapping, fold, unique},
    upload::UploadError,
};

/// The header as the first bytes show it. Its names are decoded when the encoding is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub dialect: Dialect,
    /// The cells of the header; of a file without one, as many empty cells as its rows have.
    cells: Vec<Vec<u8>>,
    pub line: Option<u64>,
    /// Byte offset and line after the header.
    pub offset: u64,
    pub next_line: u64,
    /// The bytes name the encoding.
    pub marked: bool,
}

impl Header {
    pub fn columns(&self) -> usize {
        self.cells.len()
    }

    /// The bytes of the header's cells.
    pub fn bytes(&self) -> Vec<u8> {
        self.cells.join(&b'\n')
    }

    /// How the file is read in this encoding.
    pub fn layout(&self, encoding: TextEncoding, options: &ReadOptions) -> Result<Layout, UploadError> {
        let names = names(&self.cells, encoding);
        let mapping = Mapping::chosen(&names, &options.mapping, &options.saved)?;
        if mapping.recognised() == 0 {
            return Err(UploadError::NoKnownColumn { found: unique(&names) });
        }
        let Dialect { delimiter, .. } = self.dialect;
        let (offset, line, header_line) = (self.offset, self.next_line, self.line);
        let delimiter = char::from(delimiter);
        Ok(Layout { encoding, delimiter, header_line, offset, line, mapping, foreign_numbers: false })
    }
}

fn names(cells: &[Vec<u8>], encoding: TextEncoding) -> Vec<String> {
    let name = |cell: &Vec<u8>| {
        let text: String = encoding.decode(cell).chars().filter(|c| *c != '\u{feff}').collect();
        crate::normalise::text::nfc(crate::normalise::text::without_formula(text.trim()).to_owned())
    };
    cells.iter().map(name).collect()
}

/// Lines above the header at most, and bytes in which it must begin.
const TITLE_LINES: usize = 20;
const SEARCHED: usize = 64 * 1024;
/// What a known column counts more than an unknown one.
const KNOWN: usize = 1_000;

/// Reads the header from the first bytes of a file; `None` when they do not hold all of it. `whole`: they are the whole file.
pub fn header(first: &[u8], whole: bool, limits: Limits, options: &ReadOptions) -> Result<Option<Header>, UploadError> {
    if !whole && first.len() < 64 {
        return Ok(None);
    }
    let found = encoding::of_first_bytes(first);
    if let Some(looks_like) = binary(first, found.is_some() || options.encoding.is_some_and(TextEncoding::wide)) {
        return Err(UploadError::Binary { looks_like });
    }
    let (marked, mark) = found.unwrap_or((TextEncoding::UTF_8, 0));
    let encoding = options.encoding.unwrap_or(marked);
    let start = Start { encoding, offset: mark as u64, line: 1 };
    let mut search =
        Search { first, whole, limits, options, marked: found.is_some(), best: None, incomplete: false, blank: false };
    let (separator, start) = search.separator_line(start);
    match options.delimiter.or(separator) {
        Some(delimiter) => search.with(start, delimiter)?,
        None => [b',', b';', b'\t', b'|'].into_iter().try_for_each(|delimiter| search.with(start, delimiter))?,
    }
    if search.incomplete {
        return Ok(None);
    }
    match search.best.filter(|(score, _)| *score >= KNOWN || !search.blank) {
        Some((_, header)) if header.columns() > limits.columns => {
            Err(UploadError::TooManyColumns { found: header.columns(), limit: limits.columns })
        }
        Some((_, header)) => Ok(Some(header)),
        None => Err(UploadError::Empty),
    }
}

/// Where reading starts.
#[derive(Clone, Copy)]
struct Start {
    encoding: TextEncoding,
    offset: u64,
    line: u64,
}

struct Search<'a> {
    first: &'a [u8],
    whole: bool,
    limits: Limits,
    options: &'a ReadOptions,
    marked: bool,
    /// The best header so far and the columns that are known.
    best: Option<(usize, Header)>,
    incomplete: bool,
    /// With one of the delimiters the file has no rows.
    blank: bool,
}

/// A record of the first lines.
struct Record {
    cells: Vec<Vec<u8>>,
    line: u64,
    offset: u64,
    next_line: u64,
}

impl Record {
    fn filled(&self) -> usize {
        self.cells.iter().filter(|cell| !cell.trim_ascii().is_empty()).count()
    }
}

impl Search<'_> {
    /// `sep=;` in the first line, as Excel writes it: the delimiter, and where the next line starts.
    fn separator_line(&self, start: Start) -> (Option<u8>, Start) {
        let mut reader = self.reader(start, b'\0');
        let Step::Row(row) = reader.step() else { return (None, start) };
        let cell = reader.cells().get(0).trim_ascii();
        let text = std::str::from_utf8(cell).ok().filter(|text| text.len() >= 4 && text.is_char_boundary(4));
        let separator = text.filter(|text| text[..4].eq_ignore_ascii_case("sep=")).map(|text| &text[4..]);
        // A tab is trimmed.
        let separator = separator.map(|text| if text.is_empty() { Some(b'\t') } else { delimiter_byte(text) });
        match separator.flatten() {
            Some(byte) => (Some(byte), Start { offset: row.next_offset, line: row.next_line, ..start }),
            None => (None, start),
        }
    }

    fn reader(&self, start: Start, delimiter: u8) -> RowReader {
        let dialect = Dialect { delimiter, encoding: start.encoding };
        let mut reader = RowReader::new(dialect, None, self.limits, start.offset, start.line);
        reader.push(self.first.get(usize::try_from(start.offset).unwrap_or(usize::MAX)..).unwrap_or_default());
        if self.whole {
            reader.finish();
        }
        reader
    }

    /// Looks for the header among the first records that this delimiter gives.
    fn with(&mut self, start: Start, delimiter: u8) -> Result<(), UploadError> {
        let mut reader = self.reader(start, delimiter);
        let mut records = Vec::new();
        let most = match self.options.header {
            HeaderChoice::Line(line) => usize::try_from(line).unwrap_or(usize::MAX),
            HeaderChoice::Auto | HeaderChoice::Absent => TITLE_LINES,
        };
        while records.len() < most {
            match reader.step() {
                Step::Row(row) => {
                    let cells = reader.cells().iter().map(<[u8]>::to_vec).collect();
                    records.push(Record { cells, line: row.line, offset: row.next_offset, next_line: row.next_line });
                }
                Step::More if self.first.len() < SEARCHED => {
                    self.incomplete = true;
                    return Ok(());
                }
                Step::More if records.is_empty() => {
                    return Err(UploadError::TooLong { line: start.line, limit: SEARCHED });
                }
                Step::More | Step::End => break,
            }
        }
        self.blank |= records.is_empty();
        let Some((score, header)) = self.choose(start, delimiter, &records) else { return Ok(()) };
        if self.best.as_ref().is_none_or(|(best, _)| score > *best) {
            self.best = Some((score, header));
        }
        Ok(())
    }

    /// The header among records, and how good it is.
    fn choose(&self, start: Start, delimiter: u8, records: &[Record]) -> Option<(usize, Header)> {
        let dialect = Dialect { delimiter, encoding: start.encoding };
        if self.options.header == HeaderChoice::Absent {
            let columns = records.iter().map(|record| record.cells.len()).max()?;
            let (cells, marked) = (vec![Vec::new(); columns], self.marked);
            let header = Header { dialect, cells, line: None, offset: start.offset, next_line: start.line, marked };
            return Some((columns, header));
        }
        let known: Vec<usize> = records.iter().map(|record| self.known(&record.cells, start.encoding)).collect();
        let at = match self.options.header {
            HeaderChoice::Line(line) => records.iter().position(|record| record.line == line)?,
            HeaderChoice::Auto | HeaderChoice::Absent => header_at(records, &known)?,
        };
        let Record { cells, line, offset, next_line } = &records[at];
        let (line, offset, next_line) = (Some(*line), *offset, *next_line);
        let header = Header { dialect, cells: cells.clone(), line, offset, next_line, marked: self.marked };
        // Among delimiters that give no known column, the one that gives most columns.
        Some((known[at] * KNOWN + header.columns().min(KNOWN - 1), header))
    }

    /// The columns of a record that have a meaning as headers.
    fn known(&self, cells: &[Vec<u8>], encoding: TextEncoding) -> usize {
        let names = names(cells, encoding);
        let chosen = self.options.mapping.keys().chain(self.options.saved.keys());
        let chosen = chosen
            .filter(|key| names.iter().any(|name| name == *key || (!fold(name).is_empty() && fold(name) == fold(key))));
        Mapping::of(&names).recognised().max(chosen.count())
    }
}

/// The first record that names two columns, below titles; else the first that names one. The first record stays the header
/// when it names one column of several: a row may hold words that are also headers.
fn header_at(records: &[Record], known: &[usize]) -> Option<usize> {
    if known.first().is_some_and(|known| *known > 0) && records[0].filled() > 1 {
        return Some(0);
    }
    let two = known.iter().position(|known| *known > 1);
    let one = known.iter().position(|known| *known > 0);
    two.or(one).or((!records.is_empty()).then_some(0))
}

/// The kind of a binary file, by its first bytes. `wide`: it is UTF-16, where zero bytes are usual.
fn binary(first: &[u8], wide: bool) -> Option<&'static str> {
    const SIGNATURES: [(&[u8], &str); 5] = [
        (b"PK\x03\x04", "a spreadsheet or zip file; save it as CSV"),
        (b"\xd0\xcf\x11\xe0", "an old Excel file; save it as CSV"),
        (b"%PDF", "a PDF"),
        (b"\x1f\x8b", "a gzip file; unpack it first"),
        (b"\x89PNG", "an image"),
    ];
    let signature = SIGNATURES.iter().find(|(magic, _)| first.starts_with(magic)).map(|(_, name)| *name);
    let line = first.split(|b| *b == b'\n').next().unwrap_or_default();
    signature.or_else(|| (!wide && line.contains(&0)).then_some("binary data"))
}
