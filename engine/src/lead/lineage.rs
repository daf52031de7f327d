//! The columns that LUCI adds to an export of failed leads, by which a mended row is known again as the lead it was.

use luci_schema::{LeadId, RunId};

use super::{
    csv_text::{self, Cells},
    header::{Column, Mapping, fold},
};

/// A column of LUCI's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    Run,
    Lead,
    Row,
    FailedLine,
    FailedCode,
    FailedReason,
    FailedField,
    FailedExpected,
}

impl Own {
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

    /// The header.
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

/// Whether these folded headers are those of an export: a file of somebody else may well have a `failedCode`.
pub fn exported(folded: &[String]) -> bool {
    [Own::Run, Own::Lead, Own::Row].iter().all(|column| folded.contains(&fold(column.as_str())))
}

/// Which lead a row of an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The run that it failed in.
    pub run: RunId,
    pub lead: LeadId,
    /// Its row in the input at the root of the run's lineage.
    pub row: u64,
}

/// The mark of a row; none when the row was added by hand.
pub fn mark(mapping: &Mapping, cells: &Cells) -> Option<Mark> {
    if !mapping.exported() {
        return None;
    }
    let cell = |own: Own| {
        let at = mapping.columns().iter().position(|column| *column == Column::Own(own))?;
        (at < cells.len()).then(|| csv_text::text(cells.get(at)))
    };
    Some(Mark {
        run: cell(Own::Run)?.parse().ok()?,
        lead: cell(Own::Lead)?.parse().ok()?,
        row: cell(Own::Row)?.parse().ok().filter(|row| *row > 0)?,
    })
}

/// Begins a cell that a spreadsheet takes for a formula.
pub const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Takes away the apostrophe that an export puts before a cell which a spreadsheet would take for a formula.
pub fn unescaped(text: String) -> String {
    match text.strip_prefix('\'') {
        Some(rest) if rest.starts_with(FORMULA) => rest.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead::Field;

    fn headers(names: &[&str]) -> Mapping {
        Mapping::of(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn own_columns_are_known_in_an_export_only() {
        let export = headers(&["mobile_phone", "Cell", "luciRunId", "luciLeadId", "luciRow", "failedCode"]);
        let mobile = Column::Field(Field::MobilePhone);
        let expected = [
            mobile,
            Column::Other("Cell".into()),
            Column::Own(Own::Run),
            Column::Own(Own::Lead),
            Column::Own(Own::Row),
        ];
        assert_eq!(export.columns()[..5], expected);
        assert!(export.exported() && export.columns()[5] == Column::Own(Own::FailedCode));
        let other = headers(&["Cell", "failedCode"]);
        assert_eq!(other.columns(), [Column::Field(Field::MobilePhone), Column::Other("failedCode".into())]);
        assert!(!other.exported());
    }

    #[test]
    fn only_what_an_export_escaped_is_unescaped() {
        for (text, expected) in [("'=1+1", "=1+1"), ("'-x", "-x"), ("'tis", "'tis"), ("=1", "=1"), ("'", "'")] {
            assert_eq!(unescaped(text.to_owned()), expected);
        }
    }
}
