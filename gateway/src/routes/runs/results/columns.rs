//! A lead of the results, as a row of CSV or a line of JSON.

use luci_leads::{Field, Lead, lead::line::FailedLine};
use serde_json::{Value, json};

use crate::routes::runs::lead_csv;

/// The columns that follow those of an upload.
const OWN: [&str; 7] = ["luciLeadId", "luciRow", "outcome", "score", "sectorId", "failedCode", "failedReason"];

/// What became of a lead.
#[derive(Debug)]
pub enum ResultLead {
    /// It came out of the last stage.
    Out(Lead),
    Failed(FailedLine),
}

impl ResultLead {
    fn lead(&self) -> &Lead {
        match self {
            Self::Out(lead) => lead,
            Self::Failed(failed) => &failed.lead,
        }
    }

    pub fn into_lead(self) -> Lead {
        match self {
            Self::Out(lead) => lead,
            Self::Failed(failed) => failed.lead,
        }
    }

    const fn outcome(&self) -> &'static str {
        match self {
            Self::Out(_) => "completed",
            Self::Failed(_) => "failed",
        }
    }

    /// Appends the row; `extra` are the columns of the file without a field.
    pub fn csv(&self, extra: &[String], text: &mut Vec<u8>) {
        let lead = self.lead();
        let fields = Field::ALL.iter().map(|field| lead_csv::cell(lead, *field));
        let extra = extra.iter().map(|header| lead.extra.get(header).cloned().unwrap_or_default());
        let (code, reason) = match self {
            Self::Out(_) => (String::new(), String::new()),
            Self::Failed(failed) => (failed.code.as_str().to_owned(), failed.reason.clone()),
        };
        let sector = lead.sector.as_ref().and_then(|placed| placed.sector_id);
        let own = [
            lead.lead_id.to_string(),
            lead.row.to_string(),
            self.outcome().to_owned(),
            lead.scored.as_ref().map(|scored| scored.score.to_string()).unwrap_or_default(),
            sector.map(|id| id.to_string()).unwrap_or_default(),
            code,
            reason,
        ];
        lead_csv::write(fields.chain(extra).chain(own), text);
    }

    /// `{leadId, row, outcome, lead, failure}`
    pub fn json(&self) -> Value {
        let lead = self.lead();
        let mut line = json!({"leadId": lead.lead_id, "row": lead.row, "outcome": self.outcome(), "lead": lead});
        if let Self::Failed(failed) = self {
            line["failure"] = json!({"code": failed.code, "reason": failed.reason, "detail": failed.detail});
        }
        line
    }
}

/// Appends the header.
pub fn csv_header(extra: &[String], text: &mut Vec<u8>) {
    let fields = Field::ALL.iter().map(|field| field.as_str().to_owned());
    lead_csv::write(fields.chain(extra.iter().cloned()).chain(OWN.map(str::to_owned)), text);
}
