//! Checks an uploaded file and counts its rows, once when the upload completes, so that runs can rely on both.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use luci_schema::RunId;
use serde::{Deserialize, Serialize};

use crate::{
    Field,
    read::{
        csv_row::{CellTooLong, Limits, RowReader, Step},
        export_columns,
        file_header::{Header, header},
    },
};

/// Why an upload is refused. The API responds with `code()`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    #[error("the file is empty")]
    Empty,
    #[error("the file has a header and no rows")]
    NoRows,
    #[error("no column of the header is known; use names like company, first name, last name, phone, email, address")]
    NoKnownColumn,
    #[error("the file has more than {limit} rows")]
    TooManyRows { limit: u64 },
    #[error("the header has {found} columns; at most {limit} are allowed")]
    TooManyColumns { found: usize, limit: usize },
    #[error("the file is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error(transparent)]
    TooLong(#[from] CellTooLong),
    #[error("the file is not CSV text: it looks like {looks_like}")]
    Binary { looks_like: &'static str },
    #[error("the file could not be read: {0}")]
    Unreadable(String),
}

impl UploadError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty_file",
            Self::NoRows => "no_rows",
            Self::NoKnownColumn => "no_known_column",
            Self::TooManyRows { .. } => "too_many_rows",
            Self::TooManyColumns { .. } => "too_many_columns",
            Self::TooLarge { .. } => "too_large",
            Self::TooLong(_) => "cell_too_long",
            Self::Binary { .. } => "not_csv",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

/// The result of the check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportSummary {
    /// Rows without the header and empty lines; with malformed ones, since each becomes a rejected lead.
    pub rows: u64,
    pub malformed_rows: u64,
    pub columns: usize,
    /// Field by header.
    pub mapping: BTreeMap<String, Field>,
    /// `utf-8` or `windows-1252`
    pub encoding: String,
    /// `,` `;` `|` or a tab
    pub delimiter: char,
    pub size_bytes: u64,
    /// The run whose failed leads the file holds, when it is a corrected export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage_of: Option<RunId>,
}

/// Counts the rows of a stream; holds one row at a time.
pub async fn count_rows<E: std::fmt::Display>(
    stream: impl Stream<Item = Result<Bytes, E>>,
    limits: Limits,
) -> Result<ImportSummary, UploadError> {
    let mut stream = std::pin::pin!(stream);
    let mut counter = Counter::new(limits);
    while let Some(bytes) = stream.next().await {
        counter.push(&bytes.map_err(|e| UploadError::Unreadable(e.to_string()))?)?;
    }
    counter.finish()
}

/// Like `count_rows`, for bytes that the caller pushes.
pub struct Counter {
    limits: Limits,
    first: Vec<u8>,
    reading: Option<(Header, RowReader)>,
    utf8: Utf8,
    size: u64,
    rows: u64,
    malformed: u64,
    exported_from: ExportedFrom,
}

/// The run that the rows of an export name.
#[derive(Default)]
enum ExportedFrom {
    #[default]
    None,
    Run(RunId),
    /// Rows of several exports, which have no common lineage.
    SeveralRuns,
}

impl ExportedFrom {
    fn add(&mut self, run: RunId) {
        *self = match self {
            Self::None => Self::Run(run),
            Self::Run(first) if *first == run => return,
            Self::Run(_) | Self::SeveralRuns => Self::SeveralRuns,
        };
    }

    const fn run(&self) -> Option<RunId> {
        match self {
            Self::Run(run) => Some(*run),
            Self::None | Self::SeveralRuns => None,
        }
    }
}

impl Counter {
    pub fn new(limits: Limits) -> Self {
        let (first, utf8, exported_from) = (Vec::new(), Utf8::default(), ExportedFrom::default());
        Self { limits, first, reading: None, utf8, size: 0, rows: 0, malformed: 0, exported_from }
    }

    pub fn push(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        self.size += bytes.len() as u64;
        if self.size > self.limits.bytes {
            return Err(UploadError::TooLarge { limit: self.limits.bytes });
        }
        self.utf8.push(bytes);
        match &mut self.reading {
            Some((_, reader)) => reader.push(bytes),
            None => {
                self.first.extend_from_slice(bytes);
                self.begin(false)?;
            }
        }
        self.drain()
    }

    pub fn finish(mut self) -> Result<ImportSummary, UploadError> {
        if self.reading.is_none() {
            self.begin(true)?;
        }
        if let Some((_, reader)) = &mut self.reading {
            reader.finish();
        }
        self.drain()?;
        let Some((header, _)) = self.reading else { return Err(UploadError::Empty) };
        if self.rows == 0 {
            return Err(UploadError::NoRows);
        }
        Ok(ImportSummary {
            rows: self.rows,
            malformed_rows: self.malformed,
            columns: header.names.len(),
            mapping: header.mapping.describe(&header.names),
            encoding: if self.utf8.valid() { "utf-8" } else { "windows-1252" }.into(),
            delimiter: char::from(header.delimiter),
            size_bytes: self.size,
            lineage_of: self.exported_from.run(),
        })
    }

    fn begin(&mut self, whole: bool) -> Result<(), UploadError> {
        let Some(header) = header(&self.first, whole, self.limits)? else { return Ok(()) };
        let columns = Some(header.names.len());
        let mut reader = RowReader::new(header.delimiter, columns, self.limits, header.offset, header.line);
        let read = usize::try_from(header.offset).unwrap_or(usize::MAX).min(self.first.len());
        reader.push(&self.first[read..]);
        self.first = Vec::new();
        self.reading = Some((header, reader));
        Ok(())
    }

    fn drain(&mut self) -> Result<(), UploadError> {
        let Some((header, reader)) = &mut self.reading else { return Ok(()) };
        while let Step::Row(row) = reader.step()? {
            if let Some(row) = export_columns::exported_row(&header.mapping, reader.cells()) {
                self.exported_from.add(row.run);
            }
            self.rows += 1;
            self.malformed += u64::from(row.fault.is_some());
            if self.rows > self.limits.rows {
                return Err(UploadError::TooManyRows { limit: self.limits.rows });
            }
        }
        Ok(())
    }
}

/// Whether all bytes so far are UTF-8, also where a chunk ends within a character.
#[derive(Default)]
struct Utf8 {
    carried: Vec<u8>,
    broken: bool,
}

impl Utf8 {
    fn push(&mut self, bytes: &[u8]) {
        if self.broken {
            return;
        }
        let joined;
        let text = if self.carried.is_empty() {
            bytes
        } else {
            joined = [&self.carried[..], bytes].concat();
            &joined[..]
        };
        match std::str::from_utf8(text) {
            Ok(_) => self.carried = Vec::new(),
            Err(e) if e.error_len().is_none() => self.carried = text[e.valid_up_to()..].to_vec(),
            Err(_) => self.broken = true,
        }
    }

    fn valid(&self) -> bool {
        !self.broken && self.carried.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(bytes: &[u8], chunk: usize, limits: Limits) -> Result<ImportSummary, UploadError> {
        let mut counter = Counter::new(limits);
        for part in bytes.chunks(chunk) {
            counter.push(part)?;
        }
        counter.finish()
    }

    #[test]
    fn a_file_is_counted_and_described() {
        let file = "\u{feff}\"Company Name\";Téléphone;Phone\r\nAcme;x;1\r\n\r\nB\r\n\"C\r\nc\";;2".as_bytes();
        for chunk in [1, 5, 4096] {
            let summary = count(file, chunk, Limits::default()).unwrap();
            assert_eq!((summary.rows, summary.malformed_rows, summary.columns), (3, 1, 3));
            assert_eq!((summary.encoding.as_str(), summary.delimiter), ("utf-8", ';'));
            let mapping = [("Company Name".to_owned(), Field::CompanyName), ("Phone".to_owned(), Field::Phone)];
            assert_eq!(summary.mapping, BTreeMap::from(mapping));
        }
        assert_eq!(count(b"City\nCaf\xe9\n", 3, Limits::default()).unwrap().encoding, "windows-1252");
    }

    #[test]
    fn files_that_are_refused() {
        let few = Limits { rows: 1, bytes: 50, columns: 2, cell_bytes: 10 };
        for (file, code) in [
            (&b""[..], "empty_file"),
            (b"\r\n \n", "empty_file"),
            (b"City\n", "no_rows"),
            (b"foo,bar\n1,2\n", "no_known_column"),
            (b"City,State,Zip\n1,2,3\n", "too_many_columns"),
            (b"City\na\nb\n", "too_many_rows"),
            (b"City\nabcdefghijk\n", "cell_too_long"),
            (
                b"City\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
                "too_large",
            ),
            (b"PK\x03\x04 City\n", "not_csv"),
            (b"\xff\xfeC\0i\0t\0y\0", "not_csv"),
            (b"Ci\0ty\na\n", "not_csv"),
        ] {
            for chunk in [1000, 1] {
                // The signature is recognised only when all its bytes are in the first chunk.
                if chunk == 1 && code == "not_csv" {
                    continue;
                }
                assert_eq!(count(file, chunk, few).unwrap_err().code(), code, "{file:?} by {chunk}");
            }
        }
    }
}
