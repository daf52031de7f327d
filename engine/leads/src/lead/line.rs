//! The lines of artifacts: a lead, or a failed lead with its reason.

use luci_schema::FailureCode;
use serde::{Deserialize, Serialize};

use crate::{Lead, lead::rejection::Rejection};

/// A line of a `failed` or `rejected` artifact: the lead, so that it can be corrected or retried, and why it failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedLine {
    /// The first field: `read` recognises a failed lead by it.
    pub lead: Lead,
    pub lead_id: luci_schema::LeadId,
    pub row: u64,
    /// Line of the uploaded file; 0 when the lead does not come from a file.
    pub line: u64,
    pub code: FailureCode,
    /// Key by which reports group failures.
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<FailureDetail>,
}

/// What to correct, or the provider's message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureDetail {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The provider's error message, unchanged. Older artifacts call it `said`.
    #[serde(alias = "said", default, skip_serializing_if = "Option::is_none")]
    pub provider_message: Option<String>,
}

impl FailedLine {
    pub fn new(lead: Lead, code: FailureCode, reason: impl Into<String>) -> Self {
        let (lead_id, row, line) = (lead.lead_id, lead.row, lead.line);
        Self { lead, lead_id, row, line, code, reason: reason.into(), detail: None }
    }

    /// A lead for which a provider gave no answer.
    pub fn unanswered(lead: Lead, code: FailureCode, reason: String, provider_message: Option<String>) -> Self {
        let detail = provider_message
            .map(|message| FailureDetail { provider_message: Some(message), ..FailureDetail::default() });
        Self { detail, ..Self::new(lead, code, reason) }
    }

    pub fn rejected(lead: Lead, rejection: Rejection) -> Self {
        let field = rejection.field.map(str::to_owned);
        let detail = FailureDetail { field, expected: Some(rejection.expected), ..FailureDetail::default() };
        Self { detail: Some(detail), ..Self::new(lead, FailureCode::Validation, rejection.reason.as_str()) }
    }
}

/// The lead of a line of any artifact. Of a failed lead only the lead is returned: it is retried like any other.
pub fn read(line: &[u8]) -> Result<Lead, serde_json::Error> {
    // One UTF-8 check of the line instead of one for each of its strings, of which a lead has a hundred.
    let line = std::str::from_utf8(line).map_err(serde::de::Error::custom)?;
    if line.starts_with(r#"{"lead":"#) {
        return serde_json::from_str::<FailedLine>(line).map(|failed| failed.lead);
    }
    serde_json::from_str(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead_id;

    #[test]
    fn both_kinds_of_lines_are_read() {
        let lead = Lead::bare(lead_id("import_x", 9), 9, 10);
        let plain = serde_json::to_vec(&lead).unwrap();
        assert_eq!(read(&plain).unwrap(), lead);
        let failed = FailedLine::new(lead.clone(), FailureCode::Timeout, "timeout");
        assert_eq!(read(&serde_json::to_vec(&failed).unwrap()).unwrap(), lead);
    }

    #[test]
    fn the_provider_message_is_read_by_its_older_name_too() {
        let lead = Lead::bare(lead_id("import_x", 9), 9, 10);
        let failed =
            FailedLine::unanswered(lead, FailureCode::ApiError, "http_400".into(), Some("no such company".into()));
        let line = serde_json::to_string(&failed).unwrap();
        assert!(line.contains(r#""detail":{"providerMessage":"no such company"}"#), "{line}");
        let older = line.replace("providerMessage", "said");
        assert_eq!(serde_json::from_str::<FailedLine>(&older).unwrap(), failed);
    }

    #[test]
    fn a_line_that_is_not_utf8_is_refused() {
        let mut line = serde_json::to_vec(&Lead::bare(lead_id("import_x", 9), 9, 10)).unwrap();
        line[2] = 0xff;
        assert!(read(&line).unwrap_err().to_string().starts_with("invalid utf-8"));
    }
}
