//! A run on an export of failed leads that was mended: it belongs to the lineage of the run that they failed in.

use std::sync::Arc;

use luci_engine::run::Run;
use luci_schema::{
    RunId, Stage,
    event::{RunQueued, StageSpec},
};
use serde_json::json;

use crate::{App, caller::Caller, problem::Problem};

/// The run that the file says it was exported from. `named` is the `parentRunId` of the request, which must be the same.
pub async fn parent(
    app: &App,
    caller: &Caller,
    named: Option<RunId>,
    exported_from: Option<RunId>,
) -> Result<Option<(RunId, Arc<Run>)>, Problem> {
    let refused = |why: String| Problem::invalid("parentRunId", why);
    let Some(id) = exported_from else {
        let why =
            "the input is no export of failed leads: it has no columns luciRunId, luciLeadId and luciRow that name one";
        return if named.is_some() { Err(refused(why.into())) } else { Ok(None) };
    };
    if named.is_some_and(|named| named != id) {
        return Err(refused(format!("the file was exported from run {id}")));
    }
    match app.issuer.load_newest(caller.tenant, id).await? {
        Some(run) if run.deleted() => Err(refused(format!("run {id}, which the file was exported from, was deleted"))),
        Some(run) => Ok(Some((id, run))),
        // Exported by another tenant or installation: here its rows are leads like any others.
        None if named.is_none() => Ok(None),
        None => Err(refused("there is no run with this id".into())),
    }
}

/// Takes over what makes the lineage: its root, and the first run, whose answers and sends hold for all. Sector and stages
/// are the parent's unless the request names others.
pub fn adopt(queued: &mut RunQueued, id: RunId, parent: &Run, named: Named) {
    let parent = parent.queued();
    queued.parent_run_id = Some(id);
    queued.root_input_id.clone_from(&parent.root_input_id);
    queued.root_run_id = parent.root_run_id;
    if queued.sector_id.is_none() {
        queued.sector_id = parent.sector_id;
        queued.sector_name.clone_from(&parent.sector_name);
    }
    if named == Named::Nothing {
        queued.blueprint_id = parent.blueprint_id;
        queued.blueprint_version = parent.blueprint_version;
        queued.stages.clone_from(&parent.stages);
    }
    // A run that took up a later stage has no VALIDATE, without which cells are no leads.
    if queued.stages.iter().all(|spec| spec.stage != Stage::Validate) {
        let stage = Stage::Validate;
        queued.stages.insert(1, StageSpec { name: stage.as_str().into(), stage, config: json!({}) });
    }
}

/// Whether the request says which stages the run goes through.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Named {
    Blueprint,
    Nothing,
}
