//! The block kinds: one file a stage. The list below is all there is to registering one.

use std::sync::Arc;

use luci_schema::Stage;
use serde_json::Value;

use crate::block::BlockKind;

mod ask;
mod assign;
mod enrich;
mod handed;
mod import;
mod import_csv;
mod import_earlier;
mod mended;
mod outcome;
mod push;
mod push_config;
mod push_plan;
mod score;
mod sector_list;
mod skip_trace;
mod validate;

pub use push_config::BadSetting;

/// Whether a blueprint's settings for a stage can be; stages that take none, or any, let all pass.
pub fn check_config(stage: Stage, config: &Value) -> Result<(), BadSetting> {
    match stage {
        Stage::Push => push_config::Config::read(config).map(drop),
        _ => Ok(()),
    }
}

/// Every kind, in the order of the stages.
pub fn all() -> Vec<Arc<dyn BlockKind>> {
    vec![
        Arc::new(import::Import::default()),
        Arc::new(validate::Validate),
        Arc::new(enrich::Enrich),
        Arc::new(skip_trace::SkipTrace),
        Arc::new(score::Score),
        Arc::new(assign::Assign),
        Arc::new(push::Push),
    ]
}

/// Whether a blueprint may give a stage these settings.
pub fn check(stage: luci_schema::Stage, config: &serde_json::Value) -> Result<(), String> {
    all().iter().find(|kind| kind.stage() == stage).map_or(Ok(()), |kind| kind.check(config))
}
