//! The lines of artifacts: a lead, or a lead that failed with the reason why.

use luci_schema::FailureCode;
use serde::{Deserialize, Serialize};

use super::{Lead, judge::Rejection};
use crate::provider::ProviderError;

/// A line of a `failed` or `rejected` artifact: why, and the lead itself, so that it can be mended or sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedLine {
    /// First on the line: that is how a reader tells such a line from a lead's.
    pub lead: Lead,
    pub lead_id: luci_schema::LeadId,
    pub row: u64,
    /// Line of the uploaded file; 0 when it came from none.
    pub line: u64,
    pub code: FailureCode,
    /// A word that counts are kept by.
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
}

/// What to mend, or what was heard.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What the provider said; may hold anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

impl FailedLine {
    pub fn new(lead: Lead, code: FailureCode, reason: impl Into<String>) -> Self {
        let (lead_id, row, line) = (lead.lead_id, lead.row, lead.line);
        Self { lead, lead_id, row, line, code, reason: reason.into(), detail: None }
    }

    /// A lead for which a provider gave no answer.
    pub fn unanswered(lead: Lead, error: ProviderError) -> Self {
        let detail = error.detail.map(|said| Detail { said: Some(said), ..Detail::default() });
        Self { detail, ..Self::new(lead, error.code, error.reason) }
    }

    pub fn rejected(lead: Lead, why: Rejection) -> Self {
        let detail = Detail { field: why.field.map(str::to_owned), expected: Some(why.expected), ..Detail::default() };
        Self { detail: Some(detail), ..Self::new(lead, FailureCode::Validation, why.reason.as_str()) }
    }
}

/// The lead of a line of any artifact: a failed lead is simply a lead that is tried again.
pub fn read(line: &[u8]) -> Result<Lead, serde_json::Error> {
    // Looked through for UTF-8 once, not string by string: a lead has a hundred of them, names of fields included.
    let line = std::str::from_utf8(line).map_err(serde::de::Error::custom)?;
    if line.starts_with(r#"{"lead":"#) {
        return serde_json::from_str::<FailedLine>(line).map(|failed| failed.lead);
    }
    serde_json::from_str(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead::lead_id;

    #[test]
    fn both_kinds_of_lines_are_read() {
        let lead = Lead::bare(lead_id("import_x", 9), 9, 10);
        let plain = serde_json::to_vec(&lead).unwrap();
        assert_eq!(read(&plain).unwrap(), lead);
        let failed = FailedLine::new(lead.clone(), FailureCode::Timeout, "timeout");
        assert_eq!(read(&serde_json::to_vec(&failed).unwrap()).unwrap(), lead);
    }

    #[test]
    fn a_line_that_is_no_text_is_refused() {
        let mut line = serde_json::to_vec(&Lead::bare(lead_id("import_x", 9), 9, 10)).unwrap();
        line[2] = 0xff;
        assert!(read(&line).unwrap_err().to_string().starts_with("invalid utf-8"));
    }
}
