//! Checks an uploaded file and counts its rows, once when the upload completes, so that runs can rely on both.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use luci_schema::RunId;
use serde::{Deserialize, Serialize};

use crate::{
    Field,
    lead::rejection::RowFault,
    read::{
        csv_row::{Limits, RowReader, Step},
        encoding::Detector,
        export_columns,
        file_header::{Header, header},
        layout::{Layout, ReadOptions},
        mapping::{Mapping, MappingError, Target},
        numbers_abroad::NumbersAbroad,
        preview::{Preview, Samples},
    },
};

/// Why an upload is refused. The API responds with `code()`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    #[error("the file is empty")]
    Empty,
    #[error("the file has a header and no rows")]
    NoRows,
    #[error(
        "no column of the header is known; use names like company, first name, last name, phone, email, address, or send a \
         mapping"
    )]
    NoKnownColumn { found: Vec<String> },
    #[error("the file has more than {limit} rows")]
    TooManyRows { limit: u64 },
    #[error("the header has {found} columns; at most {limit} are allowed")]
    TooManyColumns { found: usize, limit: usize },
    #[error("the file is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("line {line}: the header does not end within {limit} bytes")]
    TooLong { line: u64, limit: usize },
    #[error("the file is not CSV text: it looks like {looks_like}")]
    Binary { looks_like: &'static str },
    #[error("mapping: {0}")]
    Mapping(#[from] MappingError),
}

impl UploadError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty_file",
            Self::NoRows => "no_rows",
            Self::NoKnownColumn { .. } => "no_known_column",
            Self::TooManyRows { .. } => "too_many_rows",
            Self::TooManyColumns { .. } => "too_many_columns",
            Self::TooLarge { .. } => "too_large",
            Self::TooLong { .. } => "header_too_long",
            Self::Binary { .. } => "not_csv",
            Self::Mapping(_) => "invalid_mapping",
        }
    }
}

/// The result of the check: counts and names, no cells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportSummary {
    /// Rows without the header and blank ones; with malformed ones, since each becomes a rejected lead.
    pub rows: u64,
    pub malformed_rows: u64,
    /// Rows with fewer cells than the header, which are padded.
    #[serde(default)]
    pub short_rows: u64,
    pub columns: usize,
    /// Field by header.
    pub mapping: BTreeMap<String, Field>,
    /// Headers of columns that are kept in `extra`.
    #[serde(default)]
    pub unmapped: Vec<String>,
    /// Headers of columns that are not read.
    #[serde(default)]
    pub ignored: Vec<String>,
    /// `utf-8`, `windows-1251` …
    pub encoding: String,
    /// `,` `;` `|` or a tab
    pub delimiter: char,
    pub size_bytes: u64,
    /// The run whose failed leads the file holds, when it is a corrected export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage_of: Option<RunId>,
}

/// A checked file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    pub summary: ImportSummary,
    pub layout: Layout,
    pub preview: Preview,
}

/// Counts the rows of a stream; holds one row at a time. What is wrong with the file and what is wrong with the stream stay
/// apart: the latter says nothing about the file.
pub async fn count_rows<E, F: From<E> + From<UploadError>>(
    stream: impl Stream<Item = Result<Bytes, E>>,
    limits: Limits,
    options: ReadOptions,
) -> Result<Counted, F> {
    let mut stream = std::pin::pin!(stream);
    let mut counter = Counter::new(limits, options);
    while let Some(bytes) = stream.next().await {
        counter.push(&bytes?)?;
    }
    Ok(counter.finish()?)
}

/// Like `count_rows`, for bytes that the caller pushes.
pub struct Counter {
    limits: Limits,
    options: ReadOptions,
    first: Vec<u8>,
    /// Bytes that must be there before the header is looked for again.
    look_at: usize,
    reading: Option<Reading>,
    size: u64,
    counts: Counts,
}

struct Reading {
    header: Header,
    reader: RowReader,
    /// Provisional: only to recognise the rows of an export.
    mapping: Mapping,
}

#[derive(Default)]
struct Counts {
    rows: u64,
    malformed: u64,
    short: u64,
    detector: Detector,
    samples: Samples,
    numbers: NumbersAbroad,
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
    pub fn new(limits: Limits, options: ReadOptions) -> Self {
        let counts = Counts::default();
        Self { limits, options, first: Vec::new(), look_at: 0, reading: None, size: 0, counts }
    }

    pub fn push(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        self.size += bytes.len() as u64;
        if self.size > self.limits.bytes {
            return Err(UploadError::TooLarge { limit: self.limits.bytes });
        }
        match &mut self.reading {
            Some(reading) => reading.reader.push(bytes),
            None => {
                self.first.extend_from_slice(bytes);
                if self.first.len() >= self.look_at {
                    self.begin(false)?;
                    self.look_at = self.first.len() * 2;
                }
            }
        }
        self.drain()
    }

    pub fn finish(mut self) -> Result<Counted, UploadError> {
        if self.reading.is_none() {
            self.begin(true)?;
        }
        if let Some(reading) = &mut self.reading {
            reading.reader.finish();
        }
        self.drain()?;
        let Some(Reading { header, .. }) = self.reading else { return Err(UploadError::Empty) };
        let counts = self.counts;
        let encoding = match (self.options.encoding, header.marked) {
            (Some(encoding), _) => encoding,
            (None, true) => header.dialect.encoding,
            (None, false) => counts.detector.decide(),
        };
        let mut layout = header.layout(encoding, &self.options)?;
        layout.foreign_numbers = counts.numbers.decide(&layout.mapping);
        if counts.rows == 0 {
            return Err(UploadError::NoRows);
        }
        let summary = ImportSummary {
            rows: counts.rows,
            malformed_rows: counts.malformed,
            short_rows: counts.short,
            columns: layout.columns(),
            mapping: layout.mapping.describe(),
            unmapped: layout.mapping.headers(Target::Extra),
            ignored: layout.mapping.headers(Target::Ignored),
            encoding: encoding.name(),
            delimiter: layout.delimiter,
            size_bytes: self.size,
            lineage_of: counts.exported_from.run(),
        };
        let preview = counts.samples.preview(&layout, encoding);
        Ok(Counted { summary, layout, preview })
    }

    fn begin(&mut self, whole: bool) -> Result<(), UploadError> {
        let Some(header) = header(&self.first, whole, self.limits, &self.options)? else { return Ok(()) };
        let mapping = match header.layout(header.dialect.encoding, &self.options) {
            Ok(layout) => layout.mapping,
            // The final encoding may show the names that the caller mapped.
            Err(_) if !self.options.mapping.is_empty() || !self.options.saved.is_empty() => Mapping::of(&[]),
            Err(error) => return Err(error),
        };
        let columns = Some(header.columns());
        let mut reader = RowReader::new(header.dialect, columns, self.limits, header.offset, header.next_line);
        let read = usize::try_from(header.offset).unwrap_or(usize::MAX).min(self.first.len());
        reader.push(&self.first[read..]);
        self.counts.detector.add(&header.bytes());
        self.first = Vec::new();
        self.reading = Some(Reading { header, reader, mapping });
        Ok(())
    }

    fn drain(&mut self) -> Result<(), UploadError> {
        let Some(Reading { reader, mapping, .. }) = &mut self.reading else { return Ok(()) };
        while let Step::Row(row) = reader.step() {
            let cells = reader.cells();
            if let Some(row) = export_columns::exported_row(mapping, cells) {
                self.counts.exported_from.add(row.run);
            }
            self.counts.add(row.line, row.fault, row.short);
            self.counts.detector.add(cells.bytes());
            self.counts.samples.add(self.counts.rows, cells);
            self.counts.numbers.add(cells);
            if self.counts.rows > self.limits.rows {
                return Err(UploadError::TooManyRows { limit: self.limits.rows });
            }
        }
        Ok(())
    }
}

impl Counts {
    fn add(&mut self, line: u64, fault: Option<RowFault>, short: bool) {
        self.rows += 1;
        self.short += u64::from(short);
        if let Some(fault) = fault {
            self.malformed += 1;
            self.samples.refuse(line, fault);
        }
    }
}

#[cfg(test)]
mod tests;
