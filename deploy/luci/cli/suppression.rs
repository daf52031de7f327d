//! `luci suppression`: numbers and addresses that are never contacted.

use clap::Subcommand;
use luci_leads::store::suppressions::Reason;
use serde_json::json;

use super::{
    Outcome,
    client::{Api, ApiError},
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

/// The reasons that a caller may give, as flags: `opt-out` for `OPT_OUT`. Only an erasure makes `ERASED`.
fn reason(text: &str) -> Result<&'static str, String> {
    let flag = |reason: &Reason| reason.as_str().to_lowercase().replace('_', "-");
    let given: Vec<Reason> = Reason::ALL.into_iter().filter(|reason| *reason != Reason::Erased).collect();
    let found = given.iter().find(|reason| flag(reason) == text).map(|reason| reason.as_str());
    found.ok_or_else(|| format!("possible values: {}", given.iter().map(flag).collect::<Vec<_>>().join(", ")))
}

#[derive(Debug, Subcommand)]
pub enum Suppression {
    /// List suppressions, newest first; `luci hold list` has the messages that wait for a decision
    List {
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        #[command(flatten)]
        format: Format,
    },
    /// Suppress a phone number or an email address
    Add {
        /// A phone number, with + and the country code if it is foreign, or an e-mail address
        #[arg(value_name = "PHONE or EMAIL", allow_hyphen_values = true)]
        value: String,
        /// At most so many
        /// opt-out, legal-dnc, litigator, blacklist, wrong-number, invalid-phone or compliance-hold
        #[arg(long, default_value = "opt-out", value_parser = reason)]
        reason: &'static str,
    },
    /// Lift a suppression that a person or a rule made; one of a carrier or a keyword stays
    Remove {
        /// A phone number, with + and the country code if it is foreign, or an e-mail address
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
                let body = json!({"kind": kind(&value), "value": value, "reason": reason});
                api.post("/api/suppressions", &body).await?;
                out::line(&format!("{value} suppressed"))?;
            }
            Self::Remove { value } => {
                let body = json!({"kind": kind(&value), "value": value});
                let removed = api.post("/api/suppressions/remove", &body).await;
                removed.map_err(|error| match error.downcast_ref::<ApiError>() {
                    Some(problem) if problem.status == 404 => anyhow::anyhow!("{value} is not suppressed"),
                    _ => error,
                })?;
                out::line(&format!("{value} may be contacted again"))?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn kind(value: &str) -> &'static str {
    if value.contains('@') { "email" } else { "phone" }
}
