//! `luci suppression`: numbers and addresses that are never contacted.

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::{
    Outcome,
    client::Api,
    out::{self, Format, List, table::Column},
};
use crate::config::Config;

const COLUMNS: [Column; 6] = [
    Column::text("VALUE", "value"),
    Column::text("REASON", "reason"),
    Column::text("ORIGIN", "origin"),
    Column::text("RULE", "rule"),
    Column::time("SINCE", "createdAt"),
    Column::time("UNTIL", "expiresAt"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reason {
    OptOut,
    LegalDnc,
    Litigator,
    Blacklist,
    WrongNumber,
    InvalidPhone,
    ComplianceHold,
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::OptOut => "OPT_OUT",
            Self::LegalDnc => "LEGAL_DNC",
            Self::Litigator => "LITIGATOR",
            Self::Blacklist => "BLACKLIST",
            Self::WrongNumber => "WRONG_NUMBER",
            Self::InvalidPhone => "INVALID_PHONE",
            Self::ComplianceHold => "COMPLIANCE_HOLD",
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Suppression {
    /// List suppressions, newest first; `luci hold list` has the messages that wait for a decision
    List {
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        #[command(flatten)]
        format: Format,
    },
    /// Suppress a phone number or an email address
    Add {
        #[arg(value_name = "PHONE or EMAIL", allow_hyphen_values = true)]
        value: String,
        #[arg(long, value_enum, default_value = "opt-out")]
        reason: Reason,
    },
    /// Lift a suppression that a person or a rule made; one of a carrier or a keyword stays
    Remove {
        #[arg(value_name = "PHONE or EMAIL", allow_hyphen_values = true)]
        value: String,
    },
}

impl Suppression {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        match self {
            Self::List { limit, format } => {
                let list =
                    List { path: "/api/suppressions", key: "suppressions", columns: &COLUMNS, noun: "suppressions" };
                return format.pages(&api, list, limit as usize).await;
            }
            Self::Add { value, reason } => {
                let body = json!({"kind": kind(&value), "value": value, "reason": reason.as_str()});
                api.post("/api/suppressions", &body).await?;
                out::line(&format!("{value} suppressed"))?;
            }
            Self::Remove { value } => {
                api.post("/api/suppressions/remove", &json!({"kind": kind(&value), "value": value})).await?;
                out::line(&format!("{value} may be contacted again"))?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn kind(value: &str) -> &'static str {
    if value.contains('@') { "email" } else { "phone" }
}
