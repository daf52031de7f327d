//! `luci sector`, `luci template`: what runs use; shown here, changed on the page or by the API.

use clap::Subcommand;

use super::{
    Outcome,
    client::Api,
    ids,
    out::{self, Format, List, table::Column},
};
use crate::config::Config;

const SECTORS: [Column; 6] = [
    Column::text("SECTOR", "sectorId"),
    Column::text("SLUG", "slug"),
    Column::text("NAME", "name"),
    Column::text("STATE", "state"),
    Column::text("SIC", "sicCodes"),
    Column::number("LEADS", "leads"),
];
const TEMPLATES: [Column; 5] = [
    Column::text("TEMPLATE", "templateId"),
    Column::text("CHANNEL", "channel"),
    Column::number("VERSION", "version"),
    Column::age("AGE", "updatedAt"),
    Column::text("NAME", "name"),
];

#[derive(Debug, Subcommand)]
pub enum Sector {
    /// List sectors
    List {
        /// At most so many
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        #[command(flatten)]
        format: Format,
    },
    /// Show a sector, by id or slug
    Show {
        /// Its id or slug
        #[arg(value_name = "SECTOR")]
        sector: String,
        #[command(flatten)]
        format: Format,
    },
}

impl Sector {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        match self {
            Self::List { limit, format } => {
                let list = List { path: "/api/sectors", key: "sectors", columns: &SECTORS, noun: "sectors" };
                format.pages(&api, list, limit as usize).await
            }
            Self::Show { sector, format } => {
                let sector: String = url::form_urlencoded::byte_serialize(sector.as_bytes()).collect();
                let found = api.get(&format!("/api/sectors/{sector}")).await?;
                format.one(&found, || out::table::text(&SECTORS, std::slice::from_ref(&found)))
            }
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Template {
    /// List templates
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Show the newest text of a template
    Show {
        /// Its id, or the beginning of it
        #[arg(value_name = "TEMPLATE")]
        template: String,
        #[command(flatten)]
        format: Format,
    },
}

impl Template {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        match self {
            Self::List { format } => {
                let found = api.get("/api/templates").await?;
                let items = found["templates"].as_array().map(Vec::as_slice).unwrap_or_default();
                format.list(&found, items, &TEMPLATES, "templates")
            }
            Self::Show { template, format } => {
                let template = ids::of(&api, ids::TEMPLATE, &template).await?;
                let found = api.get(&format!("/api/templates/{template}")).await?;
                let newest = found["versions"].as_array().and_then(|versions| {
                    versions.iter().max_by_key(|one| one["version"].as_u64()).and_then(|one| one["body"].as_str())
                });
                format.one(&found, || newest.unwrap_or_default().to_owned())
            }
        }
    }
}
