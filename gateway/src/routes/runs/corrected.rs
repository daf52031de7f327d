//! A run on a corrected export of failed leads belongs to the lineage of the run in which they failed.

use std::sync::Arc;

use luci_runs::core::Run;
use luci_schema::{
    RunId, Stage,
    event::{RunQueued, StageSpec},
};
use serde_json::json;

use crate::{App, caller::Caller, problem::Problem};

/// The run from which the file was exported, according to its columns. `requested` is the `parentRunId` of the request; a
/// different one is a 422.
pub async fn parent(
    app: &App,
    caller: &Caller,
    requested: Option<RunId>,
    exported_from: Option<RunId>,
) -> Result<Option<(RunId, Arc<Run>)>, Problem> {
    let invalid = |reason: String| Problem::invalid("parentRunId", reason);
    let Some(id) = exported_from else {
        let reason =
            "the input is not an export of failed leads: its columns luciRunId, luciLeadId and luciRow are missing";
        return if requested.is_some() { Err(invalid(reason.into())) } else { Ok(None) };
    };
    if requested.is_some_and(|requested| requested != id) {
        return Err(invalid(format!("the file was exported from run {id}")));
    }
    match app.issuer.load_newest(caller.tenant, id).await? {
        Some(run) if run.deleted() => Err(invalid(format!("run {id}, from which the file was exported, was deleted"))),
        Some(run) => Ok(Some((id, run))),
        // Exported by another tenant or installation: its rows are ordinary leads here.
        None if requested.is_none() => Ok(None),
        None => Err(invalid("there is no run with this id".into())),
    }
}

/// Puts the run into the lineage of the parent: same root input and root run, so that results and sends are not repeated.
/// Sector and stages are those of the parent unless the request has its own.
pub fn adopt(queued: &mut RunQueued, id: RunId, parent: &Run, stages: RequestedStages) {
    let parent = parent.queued();
    queued.parent_run_id = Some(id);
    queued.root_input_id.clone_from(&parent.root_input_id);
    queued.root_run_id = parent.root_run_id;
    if queued.sector_id.is_none() {
        queued.sector_id = parent.sector_id;
        queued.sector_name.clone_from(&parent.sector_name);
    }
    if stages == RequestedStages::None {
        queued.blueprint_id = parent.blueprint_id;
        queued.blueprint_version = parent.blueprint_version;
        queued.stages.clone_from(&parent.stages);
    }
    // A run that started at a later stage has no VALIDATE, which makes leads of the cells.
    if queued.stages.iter().all(|spec| spec.stage != Stage::Validate) {
        let stage = Stage::Validate;
        queued.stages.insert(1, StageSpec { name: stage.as_str().into(), stage, config: json!({}) });
    }
}

/// Whether the request determines the stages of the run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RequestedStages {
    Blueprint,
    None,
}
