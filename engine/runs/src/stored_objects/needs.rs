//! Which runs still need their objects: those that have not ended, and those whose failed blocks can be retried.

use luci_schema::{Event, RunEvent, RunId, TenantId, Version, event::RunInput, log::Log};

use super::{BATCH_SIZE, StoredObjectsError};

/// What a run's history says.
#[derive(Debug, Clone, Default)]
pub struct RunNeeds {
    /// It may still read its input and its artifacts.
    pub needed: bool,
    /// What it reads; `None`: there is no such run.
    pub input: Option<RunInput>,
}

/// Reads the run's history.
///
/// # Errors
/// When the log cannot be read.
pub async fn needs(log: &Log, tenant: TenantId, run: RunId) -> Result<RunNeeds, StoredObjectsError> {
    let (mut needs, mut after) = (RunNeeds::default(), Version(0));
    loop {
        let page = log.read_stream(tenant, run.into(), after, BATCH_SIZE).await?;
        for recorded in &page {
            if let Event::Run(event) = &recorded.event {
                needs.fold(event);
            }
        }
        match page.last() {
            Some(last) if page.len() == BATCH_SIZE => after = last.version,
            _ => return Ok(needs),
        }
    }
}

impl RunNeeds {
    fn fold(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Queued(queued) => {
                self.needed = true;
                self.input = Some(queued.input.clone());
            }
            // A failed run waits for somebody to retry its blocks.
            RunEvent::Started(_) | RunEvent::Paused(_) | RunEvent::Resumed(_) | RunEvent::Failed(_) => {
                self.needed = true;
            }
            RunEvent::Completed(_) | RunEvent::Cancelled(_) | RunEvent::Deleted(_) => self.needed = false,
        }
    }
}
