//! A blueprint that is to be published, and all that can be wrong with it.

use luci_schema::{BlueprintId, Stage, event::StageSpec};
use serde_json::Value;

use crate::{admin::AdminError, blocks, provider};

/// A blueprint that is to be published.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Of the blueprint whose next version it is; `None` for a new one.
    pub id: Option<BlueprintId>,
    pub name: String,
    pub stages: Vec<StageSpec>,
    pub activation: Activation,
}

/// When new runs take a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    AtOnce,
    /// When it is activated; the first version of a blueprint is active from the start all the same.
    Later,
}

impl Draft {
    /// Everything that is wrong, by stage and field.
    pub(super) fn check(&self) -> Result<(), AdminError> {
        let Self { name, stages, .. } = self;
        let mut wrong: Vec<(String, String)> = Vec::new();
        if name.trim().is_empty() || name.chars().count() > 200 {
            wrong.push(("name".into(), "1 to 200 characters".into()));
        }
        if stages.first().is_none_or(|first| first.stage != Stage::Import) {
            wrong.push(("stages".into(), "the first stage is import".into()));
        }
        for (n, spec) in stages.iter().enumerate() {
            let before = stages[..n].iter().map(|spec| spec.stage).max();
            if before.is_some_and(|before| before >= spec.stage) {
                let order = "once each, in the order import, validate, enrich, skip_trace, score, assign, push";
                wrong
                    .push((format!("stages[{n}].stage"), format!("`{}` stands here; stages come {order}", spec.stage)));
            }
            if spec.name.trim().is_empty() || spec.name.chars().count() > 100 {
                wrong.push((format!("stages[{n}].name"), "1 to 100 characters".into()));
            }
            let config = match &spec.config {
                Value::Object(_) | Value::Null => settings(spec),
                _ => Err("an object".into()),
            };
            if let Err(reason) = config {
                wrong.push((format!("stages[{n}].config"), format!("{}: {reason}", spec.stage)));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(AdminError::Fields(wrong)) }
    }
}

/// What is wrong with a stage's settings: the provider that it names, and what its block kind reads.
fn settings(spec: &StageSpec) -> Result<(), String> {
    provider::check_stage(spec.stage, &spec.config)?;
    blocks::check(spec.stage, &spec.config)
}
