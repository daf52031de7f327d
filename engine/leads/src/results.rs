//! The artifacts that hold the leads which came out of a run's last stage, found from the run's events.
//!
//! The list of artifacts is not enough: a block that failed has written an output too, and its leads are processed again.

use luci_schema::{
    Event, RunId, Stage, TenantId, Version,
    event::{Artifact, BlockEvent, BlockReport, RunEvent},
    log::{Log, LogError},
};

/// Events of a read.
const PAGE: usize = 500;

/// The outputs of the last stage so far, in the order in which their blocks ended; each is one line a lead.
///
/// # Errors
/// When the log cannot be read.
pub async fn outputs(log: &Log, tenant: TenantId, run: RunId) -> Result<Vec<Artifact>, LogError> {
    let (mut last_stage, mut outputs, mut version) = (None, Vec::new(), Version(0));
    loop {
        let page = log.read_stream(tenant, run.into(), version, PAGE).await?;
        for recorded in &page {
            version = recorded.version;
            match &recorded.event {
                Event::Run(RunEvent::Queued(queued)) => last_stage = queued.stages.last().map(|spec| spec.stage),
                Event::Block(BlockEvent::Completed(done)) => add(last_stage, done.stage, &done.report, &mut outputs),
                Event::Block(BlockEvent::Cancelled(cancelled)) => {
                    if let Some(report) = &cancelled.report {
                        add(last_stage, cancelled.stage, report, &mut outputs);
                    }
                }
                _ => {}
            }
        }
        if page.len() < PAGE {
            return Ok(outputs);
        }
    }
}

fn add(last: Option<Stage>, stage: Stage, report: &BlockReport, outputs: &mut Vec<Artifact>) {
    if last == Some(stage) {
        let output = |artifact: &&Artifact| artifact.artifact_type == stage.artifact_type();
        outputs.extend(report.artifacts.iter().filter(output).cloned());
    }
}
