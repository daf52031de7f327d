//! The columns that LUCI adds to an export of failed leads. When the corrected file is imported, they identify the lead of a row.

use luci_schema::{LeadId, RunId};
use serde::{Deserialize, Serialize};

use crate::read::{
    csv_text::Cells,
    encoding::TextEncoding,
    mapping::{Mapping, Target, fold},
};

/// A column that LUCI adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportColumn {
    Run,
    Lead,
    Row,
    FailedLine,
    FailedCode,
    FailedReason,
    FailedField,
    FailedExpected,
}

impl ExportColumn {
    pub const ALL: [Self; 8] = [
        Self::Run,
        Self::Lead,
        Self::Row,
        Self::FailedLine,
        Self::FailedCode,
        Self::FailedReason,
        Self::FailedField,
        Self::FailedExpected,
    ];

    /// The header of the column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "luciRunId",
            Self::Lead => "luciLeadId",
            Self::Row => "luciRow",
            Self::FailedLine => "failedLine",
            Self::FailedCode => "failedCode",
            Self::FailedReason => "failedReason",
            Self::FailedField => "failedField",
            Self::FailedExpected => "failedExpected",
        }
    }

    /// The column of a folded header.
    pub fn of(folded: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| fold(column.as_str()) == folded)
    }
}

/// Whether these folded headers are those of an export. All identifying columns must be there: any file may have a
/// `failedCode`.
pub fn is_export(folded: &[String]) -> bool {
    [ExportColumn::Run, ExportColumn::Lead, ExportColumn::Row]
        .iter()
        .all(|column| folded.contains(&fold(column.as_str())))
}

/// The identity of a row of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportedRow {
    /// The run in which the lead failed.
    pub run: RunId,
    pub lead: LeadId,
    /// The lead's row in the input at the root of the run's lineage.
    pub row: u64,
}

/// The identity of a row; `None` when the file is not an export or the row was added by hand.
pub fn exported_row(mapping: &Mapping, cells: &Cells) -> Option<ExportedRow> {
    if !mapping.exported() {
        return None;
    }
    let cell = |column: ExportColumn| {
        let at = mapping.columns().iter().position(|of_file| of_file.target == Target::Export(column))?;
        (at < cells.len()).then(|| TextEncoding::UTF_8.decode(cells.get(at)))
    };
    Some(ExportedRow {
        run: cell(ExportColumn::Run)?.parse().ok()?,
        lead: cell(ExportColumn::Lead)?.parse().ok()?,
        row: cell(ExportColumn::Row)?.parse().ok().filter(|row| *row > 0)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Field;

    fn headers(names: &[&str]) -> Mapping {
        Mapping::of(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn export_columns_are_recognised_in_an_export_only() {
        let targets = |mapping: &Mapping| mapping.columns().iter().map(|column| column.target).collect::<Vec<_>>();
        let export = headers(&["mobile_phone", "Cell", "luciRunId", "luciLeadId", "luciRow", "failedCode"]);
        let expected = [
            Target::Field(Field::MobilePhone),
            Target::Extra,
            Target::Export(ExportColumn::Run),
            Target::Export(ExportColumn::Lead),
            Target::Export(ExportColumn::Row),
            Target::Export(ExportColumn::FailedCode),
        ];
        assert_eq!((targets(&export), export.exported()), (expected.to_vec(), true));
        let other = headers(&["Cell", "failedCode"]);
        assert_eq!(targets(&other), [Target::Field(Field::MobilePhone), Target::Extra]);
        assert!(!other.exported());
    }
}
