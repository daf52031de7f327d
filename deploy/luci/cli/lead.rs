//! `luci lead`: lists, shows, exports and adds leads, through the API.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Outcome,
    client::Api,
    ids, input,
    out::{self, Format, List, table::Column},
};
use crate::config::Config;

const COLUMNS: [Column; 8] = [
    Column::text("LEAD", "leadId"),
    Column::status("STATUS", "status"),
    Column::number("SCORE", "score"),
    Column::text("STATE", "state"),
    Column::text("PHONE", "phone"),
    Column::text("EMAIL", "email"),
    Column::text("CONTACT", "contactName"),
    Column::text("COMPANY", "companyName"),
];
/// All that a list has, for programs.
const EXPORTED: [Column; 13] = [
    Column::text("", "leadId"),
    Column::text("", "status"),
    Column::text("", "companyName"),
    Column::text("", "contactName"),
    Column::text("", "email"),
    Column::text("", "phone"),
    Column::text("", "state"),
    Column::text("", "sicCode"),
    Column::text("", "sectorId"),
    Column::text("", "score"),
    Column::text("", "priority"),
    Column::text("", "tags"),
    Column::text("", "createdAt"),
];

/// Which leads.
#[derive(Debug, Args)]
pub struct Filter {
    /// Id of a sector
    #[arg(long, value_name = "SECTOR")]
    sector: Option<luci_schema::SectorId>,
    /// Status of the leads, like new or contacted
    #[arg(long)]
    status: Option<String>,
    /// Score at least, 0 to 100
    #[arg(long, value_parser = clap::value_parser!(u8).range(..=100))]
    min_score: Option<u8>,
}

#[derive(Debug, Subcommand)]
pub enum Lead {
    /// List leads, newest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        #[command(flatten)]
        format: Format,
    },
    /// Show a lead with its contacts and score
    Show {
        /// Its id, or the beginning of it
        #[arg(value_name = "LEAD")]
        lead: String,
        #[command(flatten)]
        format: Format,
    },
    /// Write leads to standard output, page by page; the leads of one run: `luci results RUN --leads csv`
    Export {
        #[command(flatten)]
        filter: Filter,
        /// JSON lines instead of CSV
        #[arg(long)]
        ndjson: bool,
    },
    /// Add up to 1,000 leads, all or none: a JSON list, or an object with `leads`
    Add {
        /// JSON file; `-` reads standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Skip leads that match a lead of another input by phone, email, or name and address
        #[arg(long)]
        skip_existing: bool,
        #[command(flatten)]
        format: Format,
    },
}

impl Filter {
    fn path(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if let Some(sector) = self.sector {
            query.append_pair("sectorId", &sector.to_string());
        }
        if let Some(status) = &self.status {
            query.append_pair("status", status);
        }
        if let Some(score) = self.min_score {
            query.append_pair("minScore", &score.to_string());
        }
        let query = query.finish();
        if query.is_empty() { "/api/leads".to_owned() } else { format!("/api/leads?{query}") }
    }
}

impl Lead {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        match self {
            Self::List { filter, limit, format } => {
                let list = List { path: &filter.path(), key: "leads", columns: &COLUMNS, noun: "leads" };
                format.pages(&api, list, limit as usize).await
            }
            Self::Show { lead, format } => {
                let lead = ids::of(&api, ids::LEAD, &lead).await?;
                let found = api.get(&format!("/api/leads/{lead}")).await?;
                format.one(&found, || format!("{found:#}"))
            }
            Self::Export { filter, ndjson } => export(&api, &filter, ndjson).await,
            Self::Add { file, skip_existing, format } => {
                let created = api.post("/api/leads", &body(input::json(&file).await?, skip_existing)).await?;
                let count = |name: &str| created[name].as_u64().unwrap_or(0);
                format.one(&created, || {
                    let import = created["importId"].as_str().unwrap_or_default();
                    let (new, old) = (count("created"), count("existing"));
                    let (twice, left) = (count("duplicates"), count("leftOut"));
                    format!("{import}  {new} created, {old} existing, {twice} duplicates, {left} skipped")
                })
            }
        }
    }
}

async fn export(api: &Api, filter: &Filter, ndjson: bool) -> anyhow::Result<Outcome> {
    if !ndjson {
        let titles = EXPORTED.iter().map(Column::csv_title).collect::<Vec<_>>().join(",");
        out::line(&titles)?;
    }
    let path = filter.path();
    let sign = if path.contains('?') { '&' } else { '?' };
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("{path}{sign}limit=100{cursor}")).await?;
        let leads = page["leads"].as_array().map(Vec::as_slice).unwrap_or_default();
        if ndjson {
            leads.iter().try_for_each(out::json)?;
        } else {
            out::table::csv_rows(&EXPORTED, leads)?;
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(Outcome::Done),
        }
    }
}

fn body(mut body: Value, skip_existing: bool) -> Value {
    if body.is_array() {
        body = json!({"leads": body});
    }
    // Anything else than an object is refused by the API as it is.
    if skip_existing && body.is_object() {
        body["onExisting"] = json!("skip");
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_and_an_object_make_the_same_request() {
        let list = body(json!([{"email": "a"}]), true);
        assert_eq!(list, json!({"leads": [{"email": "a"}], "onExisting": "skip"}));
        assert_eq!(body(json!({"leads": [{"email": "a"}]}), true), list);
        assert_eq!(body(json!("a"), true), json!("a"));
    }
}
