//! How a command prints its result: a table or text for people, JSON, JSON lines or CSV for programs.

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{
    super::{Outcome, client::Api},
    json, line, notice_empty, print,
    table::{self, Column},
};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Aligned columns, or text
    #[default]
    Table,
    /// One JSON document, as the API returns it
    Json,
    /// One line of JSON for each item
    Ndjson,
    /// A header, and a row for each item
    Csv,
}

/// The longest page that every list of the API has.
const PAGE: usize = 100;

/// Options of every command that prints a result.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Format {
    /// Format of the result [default: table]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Output>,
    /// The same as `--output json`
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

impl Format {
    fn output(self) -> Output {
        if self.json { Output::Json } else { self.output.unwrap_or_default() }
    }

    /// Whether the result is a text for people.
    pub fn is_text(self) -> bool {
        self.output() == Output::Table
    }

    /// Whether the result is printed as it is: JSON, in one document or in lines.
    pub fn is_json(self) -> bool {
        matches!(self.output(), Output::Json | Output::Ndjson)
    }

    pub fn is_csv(self) -> bool {
        self.output() == Output::Csv
    }

    /// Prints an object as JSON, or as a row of CSV with its plain fields.
    pub fn document(self, object: &Value) -> anyhow::Result<()> {
        self.one(object, String::new).map(drop)
    }

    /// Prints one object: the text, JSON, or a row of CSV with its plain fields.
    pub fn one(self, object: &Value, text: impl FnOnce() -> String) -> anyhow::Result<Outcome> {
        match self.output() {
            Output::Table => line(&text())?,
            Output::Json | Output::Ndjson => json(object)?,
            Output::Csv => {
                let plain = |value: &Value| !value.is_object() && !value.is_array();
                let fields = object.as_object().into_iter().flatten().filter(|(_, value)| plain(value));
                let (names, values): (Vec<&str>, Vec<String>) =
                    fields.map(|(name, value)| (name.as_str(), table::plain(value))).unzip();
                table::csv(&names, std::iter::once(values))?;
            }
        }
        Ok(Outcome::Done)
    }

    /// Prints a list: `document` as the API returned it, of which `items` are the rows. `noun` names them in the plural.
    pub fn list(self, document: &Value, items: &[Value], columns: &[Column], noun: &str) -> anyhow::Result<Outcome> {
        match self.output() {
            Output::Json => json(document)?,
            Output::Ndjson => items.iter().try_for_each(json)?,
            Output::Csv => {
                let titles: Vec<String> = columns.iter().map(Column::csv_title).collect();
                let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
                table::csv(&titles, items.iter().map(|item| columns.iter().map(|one| one.exact(item)).collect()))?;
            }
            Output::Table if items.is_empty() => notice_empty(noun),
            // Cells are escaped; colours are not.
            Output::Table => print(&table::text(columns, items))?,
        }
        Ok(Outcome::Done)
    }

    /// Prints a list of the API, page by page up to `limit` items. `path` may have a query; `key` names the items in a page.
    pub async fn pages(self, api: &Api, list: List<'_>, limit: usize) -> anyhow::Result<Outcome> {
        let List { path, key, columns, noun } = list;
        let sign = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut cursor, mut more) = (Vec::new(), String::new(), false);
        while items.len() < limit {
            let page_size = (limit - items.len()).min(PAGE);
            let mut page = api.get(&format!("{path}{sign}limit={page_size}{cursor}")).await?;
            if let Value::Array(found) = page[key].take() {
                items.extend(found);
            }
            more = page["nextCursor"].is_string();
            match page["nextCursor"].as_str() {
                Some(next) => {
                    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
                    cursor = format!("&cursor={next}");
                }
                None => break,
            }
        }
        items.truncate(limit);
        let document = serde_json::json!({key: items, "hasMore": more});
        let items = document[key].as_array().map(Vec::as_slice).unwrap_or_default();
        let outcome = self.list(&document, items, columns, noun)?;
        if more && self.is_text() {
            crate::process::telemetry::notice(format_args!("the first {limit} {noun}; --limit shows more"));
        }
        Ok(outcome)
    }
}

/// A list of the API.
#[derive(Debug, Clone, Copy)]
pub struct List<'a> {
    pub path: &'a str,
    pub key: &'static str,
    pub columns: &'a [Column],
    pub noun: &'static str,
}
