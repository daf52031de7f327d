//! `luci audit diff`: compares two states of a run field by field, or two runs.

use clap::Args;
use luci_schema::difference::{Difference, differences};
use serde_json::{Map, Value, json};

use super::{moment, state};
use crate::cli::{
    Outcome, UsageError,
    client::Api,
    ids,
    out::{self, Format},
};

/// Characters of a value that are printed as text.
const MAX_VALUE: usize = 60;
/// Printed after the run's own fields, in this order.
const LISTS: [&str; 3] = ["stages.", "blocks.", "artifacts."];

#[derive(Debug, Args)]
pub struct Diff {
    /// Run, or state of a run: RUN@v10, RUN@p90210, RUN@2026-11-22T20:54:01Z
    #[arg(value_name = "RUN[@MOMENT]")]
    a: String,
    /// Run or state to compare it with
    #[arg(value_name = "RUN[@MOMENT]")]
    b: String,
    #[command(flatten)]
    format: Format,
}

impl Diff {
    pub async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        let (a, b) = (Side::find(api, &self.a).await?, Side::find(api, &self.b).await?);
        if a.run != b.run && a.at.is_none() && b.at.is_none() {
            return self.compare(api, &a.run, &b.run).await;
        }
        let (before, after) = (a.state(api).await?, b.state(api).await?);
        let mut found = differences(&before, &after);
        found.sort_by_key(|one| LISTS.iter().position(|list| one.field.starts_with(list)));
        if !self.format.is_text() {
            self.format.document(&json!({"a": self.a, "b": self.b, "differences": found}))?;
        } else {
            print(&found)?;
        }
        Ok(Outcome::Done)
    }

    /// Compares the current states of two runs: totals, stages, and what they pinned.
    async fn compare(&self, api: &Api, a: &str, b: &str) -> anyhow::Result<Outcome> {
        let answer = api.get(&format!("/api/pipelines/{a}/compare/{b}")).await?;
        if !self.format.is_text() {
            self.format.document(&answer)?;
            return Ok(Outcome::Done);
        }
        figures("run", &answer["figures"])?;
        for stage in answer["stages"].as_array().into_iter().flatten() {
            figures(stage["stage"].as_str().unwrap_or("-"), &stage["figures"])?;
        }
        for one in answer["pinned"].as_array().into_iter().flatten() {
            line(&format!("pinned.{}", one["field"].as_str().unwrap_or("-")), &one["a"], &one["b"])?;
        }
        Ok(Outcome::Done)
    }
}

fn figures(of: &str, list: &Value) -> anyhow::Result<()> {
    let list = list.as_array().into_iter().flatten();
    for figure in list.filter(|figure| figure["a"] != figure["b"]) {
        line(&format!("{of}.{}", figure["figure"].as_str().unwrap_or("-")), &figure["a"], &figure["b"])?;
    }
    Ok(())
}

fn print(found: &[Difference]) -> anyhow::Result<()> {
    found.iter().try_for_each(|one| line(&one.field, &one.a, &one.b))
}

fn line(field: &str, a: &Value, b: &Value) -> anyhow::Result<()> {
    out::line(&format!("{field:<42}  {}  →  {}", short(a), short(b)))
}

/// The value as text, cut after `MAX_VALUE` characters.
pub(super) fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// `RUN` or `RUN@MOMENT`.
struct Side<'t> {
    run: String,
    at: Option<&'t str>,
}

impl<'t> Side<'t> {
    async fn find(api: &Api, text: &'t str) -> anyhow::Result<Self> {
        let (run, at) = text.split_once('@').map_or((text, None), |(run, at)| (run, Some(at)));
        if let Some(at) = at {
            moment(at).map_err(|expected| UsageError(format!("`{at}`: {expected}")))?;
        }
        Ok(Self { run: ids::run(api, run).await?, at })
    }

    /// The run's detail. Lists become objects by name or id, so that an added element is one difference.
    async fn state(&self, api: &Api) -> anyhow::Result<Value> {
        let mut state = state(api, &self.run, self.at).await?;
        for (list, key) in [("stages", "name"), ("blocks", "blockId"), ("artifacts", "artifactId")] {
            let named = |one: &Value| Some((one[key].as_str()?.to_owned(), one.clone()));
            let by_name: Map<String, Value> = state[list].as_array().into_iter().flatten().filter_map(named).collect();
            state[list] = by_name.into();
        }
        Ok(state)
    }
}
