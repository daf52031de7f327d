//! The header of a CSV file: delimiter, columns, and where the rows begin.

use crate::read::{
    csv_row::{Limits, RowReader, Step},
    csv_text,
    mapping::Mapping,
    upload::UploadError,
};

/// The header of a file, and where its rows begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub delimiter: u8,
    pub names: Vec<String>,
    pub mapping: Mapping,
    /// Byte offset and line after the header.
    pub offset: u64,
    pub line: u64,
}

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Reads the header from the first bytes of a file; `None` when they do not hold all of it. `whole`: they are the whole file.
pub fn header(first: &[u8], whole: bool, limits: Limits) -> Result<Option<Header>, UploadError> {
    if let Some(looks_like) = binary(first) {
        return Err(UploadError::Binary { looks_like });
    }
    let skipped = if first.starts_with(BOM) { BOM.len() } else { 0 };
    let mut best: Option<Header> = None;
    for delimiter in [b',', b';', b'\t', b'|'] {
        let mut reader = RowReader::new(delimiter, None, limits, skipped as u64, 1);
        reader.push(&first[skipped..]);
        if whole {
            reader.finish();
        }
        let row = match reader.step() {
            Ok(Step::Row(row)) => row,
            Ok(Step::More) => return Ok(None),
            Ok(Step::End) => return Err(UploadError::Empty),
            // With the wrong delimiter a long header is one cell that is too long.
            Err(_) if best.is_some() => continue,
            Err(error) => return Err(error.into()),
        };
        let names: Vec<String> = reader.cells().iter().map(csv_text::decode).collect();
        let mapping = Mapping::of(&names);
        if best.as_ref().is_none_or(|b| mapping.recognised() > b.mapping.recognised()) {
            best = Some(Header { delimiter, names, mapping, offset: row.next_offset, line: row.next_line });
        }
    }
    match best {
        Some(header) if header.names.len() > limits.columns => {
            Err(UploadError::TooManyColumns { found: header.names.len(), limit: limits.columns })
        }
        Some(header) if header.mapping.recognised() > 0 => Ok(Some(header)),
        _ => Err(UploadError::NoKnownColumn),
    }
}

/// The kind of a binary file, by its first bytes.
fn binary(first: &[u8]) -> Option<&'static str> {
    const SIGNATURES: [(&[u8], &str); 7] = [
        (b"PK\x03\x04", "a spreadsheet or zip file; save it as CSV"),
        (b"\xd0\xcf\x11\xe0", "an old Excel file; save it as CSV"),
        (b"%PDF", "a PDF"),
        (b"\x1f\x8b", "a gzip file; unpack it first"),
        (b"\xff\xfe", "UTF-16 text; save it as UTF-8 CSV"),
        (b"\xfe\xff", "UTF-16 text; save it as UTF-8 CSV"),
        (b"\x89PNG", "an image"),
    ];
    let signature = SIGNATURES.iter().find(|(magic, _)| first.starts_with(magic)).map(|(_, name)| *name);
    let line = first.split(|b| *b == b'\n').next().unwrap_or_default();
    signature.or_else(|| line.contains(&0).then_some("binary data"))
}
