//! A blueprint to publish, and its validation.

use luci_schema::{BlueprintId, Stage, event::StageSpec, log::MAX_EVENT_BYTES};
use serde_json::Value;

use crate::AdminError;

/// Validates a stage's settings; the error is a sentence. Passed in by the caller, since the stages know it.
pub type CheckSettings = fn(Stage, &Value) -> Result<(), String>;

/// A blueprint to publish.
#[derive(Debug, Clone)]
pub struct BlueprintDraft {
    /// The blueprint whose next version this is; `None` for a new one.
    pub id: Option<BlueprintId>,
    pub name: String,
    pub stages: Vec<StageSpec>,
    pub activation: Activation,
}

/// When new runs use the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    Immediately,
    /// After `activate`. The first version of a blueprint is always active.
    OnRequest,
}

/// Largest stages, in bytes of JSON: each run's first event repeats them, with room for the run's own options.
const MAX_STAGES_BYTES: usize = MAX_EVENT_BYTES / 2;

impl BlueprintDraft {
    /// Every error, by stage and field.
    pub(super) fn check(&self, settings: CheckSettings) -> Result<(), AdminError> {
        let Self { name, stages, .. } = self;
        let mut errors: Vec<(String, String)> = Vec::new();
        if name.trim().is_empty() || name.chars().count() > 200 {
            errors.push(("name".into(), "1 to 200 characters".into()));
        }
        if stages.first().is_none_or(|first| first.stage != Stage::Import) {
            errors.push(("stages".into(), "the first stage must be import".into()));
        }
        for (n, spec) in stages.iter().enumerate() {
            let before = stages[..n].iter().map(|spec| spec.stage).max();
            if before.is_some_and(|before| before >= spec.stage) {
                let order = format!("each stage at most once, in the order {}", Stage::names());
                errors.push((format!("stages[{n}].stage"), format!("`{}` is out of order: {order}", spec.stage)));
            }
            if spec.name.trim().is_empty() || spec.name.chars().count() > 100 {
                errors.push((format!("stages[{n}].name"), "1 to 100 characters".into()));
            }
            let config = match &spec.config {
                Value::Object(_) | Value::Null => settings(spec.stage, &spec.config),
                _ => Err("an object".into()),
            };
            if let Err(reason) = config {
                errors.push((format!("stages[{n}].config"), format!("{}: {reason}", spec.stage)));
            }
        }
        let bytes = serde_json::to_vec(stages).map_or(usize::MAX, |json| json.len());
        if bytes > MAX_STAGES_BYTES {
            errors.push(("stages".into(), format!("{bytes} bytes as JSON, at most {MAX_STAGES_BYTES}")));
        }
        if errors.is_empty() { Ok(()) } else { Err(AdminError::Fields(errors)) }
    }
}
