//! What a person checks before a run: how the file was read, with samples. It holds personal data, unlike the summary.

use serde::{Deserialize, Serialize};

use crate::{
    lead::rejection::RowFault,
    read::{csv_text::Cells, encoding::TextEncoding, layout::Layout, mapping::Target},
};

/// How the columns and the first unusual cells were read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Preview {
    /// `None`: the file has no header.
    pub header_line: Option<u64>,
    pub columns: Vec<ColumnPreview>,
    /// The first three cells that are not ASCII, decoded.
    pub encoding_samples: Vec<String>,
    /// The first rows that are refused.
    pub refused_rows: Vec<RefusedRow>,
}

/// A column and how it is handled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnPreview {
    pub header: String,
    pub status: ColumnStatus,
    /// The field it is mapped to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<crate::Field>,
    /// The first cells that are not empty.
    pub samples: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnStatus {
    Mapped,
    /// Kept in `extra` under its header.
    Unmapped,
    Ignored,
    /// Read as part of another column, or to recognise a corrected export.
    Used,
}

/// A row that is refused, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedRow {
    pub line: u64,
    #[serde(flatten)]
    pub fault: RowFault,
    /// What was expected instead, as a sentence. Not `expected`, which is a number of some faults.
    pub hint: String,
}

const SAMPLES: usize = 3;
const REFUSED: usize = 10;
/// Rows in which samples are looked for, and bytes that are kept of one.
const SEARCHED: u64 = 200;
const SAMPLE_BYTES: usize = 120;

/// Collects samples while the rows are counted.
#[derive(Default)]
pub(super) struct Samples {
    columns: Vec<Vec<Vec<u8>>>,
    unusual: Vec<Vec<u8>>,
    refused: Vec<RefusedRow>,
}

impl Samples {
    pub fn refuse(&mut self, line: u64, fault: RowFault) {
        if self.refused.len() < REFUSED {
            self.refused.push(RefusedRow { line, fault, hint: fault.expected() });
        }
    }

    pub fn add(&mut self, row: u64, cells: &Cells) {
        if row <= SEARCHED {
            self.columns.resize(self.columns.len().max(cells.len()), Vec::new());
            for (samples, cell) in self.columns.iter_mut().zip(cells.iter()) {
                if samples.len() < SAMPLES && !cell.trim_ascii().is_empty() {
                    samples.push(cut(cell));
                }
            }
        }
        if self.unusual.len() < SAMPLES && !cells.bytes().is_ascii() {
            let unusual = cells.iter().filter(|cell| !cell.is_ascii());
            self.unusual.extend(unusual.take(SAMPLES - self.unusual.len()).map(cut));
        }
    }

    pub fn preview(mut self, layout: &Layout, encoding: TextEncoding) -> Preview {
        let decode = |cells: Vec<Vec<u8>>| -> Vec<String> { cells.iter().map(|cell| encoding.decode(cell)).collect() };
        self.columns.resize(layout.columns(), Vec::new());
        let columns = layout.mapping.columns().iter().zip(self.columns).map(|(column, samples)| {
            let (status, field) = match column.target {
                Target::Field(field) => (ColumnStatus::Mapped, Some(field)),
                Target::Extra => (ColumnStatus::Unmapped, None),
                Target::Ignored => (ColumnStatus::Ignored, None),
                Target::Label | Target::Export(_) => (ColumnStatus::Used, None),
            };
            ColumnPreview { header: column.header.clone(), status, field, samples: decode(samples) }
        });
        Preview {
            header_line: layout.header_line,
            columns: columns.collect(),
            encoding_samples: decode(self.unusual),
            refused_rows: self.refused,
        }
    }
}

/// The beginning of a cell; a character is never cut in UTF-8.
fn cut(cell: &[u8]) -> Vec<u8> {
    let mut end = cell.len().min(SAMPLE_BYTES);
    while end > 0 && end < cell.len() && cell[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    cell[..end].to_vec()
}
