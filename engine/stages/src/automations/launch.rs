//! Launching a run for an automation: check the conditions, queue the run, record the outcome in the automation's stream.
//!
//! The run's id and the commands' ids derive from automation and trigger: a second launch changes nothing.

use luci_config::automations::condition;
use luci_messaging::webhooks;
use luci_runs::{
    core::RunCommand,
    issue::{Cause, IssueError, Issuer},
};
use luci_schema::{
    Actor, CommandId, ConfigEvent, CorrelationId, RunId, StreamId, Version,
    event::{AutomationFired, AutomationSkipped, ObjectDigest, RunInput, RunOptions, TriggerType},
    log::{Append, AppendError, Log, NewReceipt},
    trace,
};
use luci_storage::{Storage, StorageError};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use ulid::Ulid;

use super::trigger::{Launch, TriggerCause};
use crate::start::{self, LeadSource, StartError, StartedBy};

/// Appends of the outcome that may conflict with other writes to the automation's stream.
const MAX_ATTEMPTS: usize = 8;

/// The result of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Launched {
    /// The outcome is in the log, or will be.
    Recorded,
    /// The conditions do not hold, the leads are not new, or the outcome was recorded before: nothing is recorded.
    NoMatch,
    /// Something was unavailable: launch again.
    Undecided,
}

pub(super) async fn launch(issuer: &Issuer, (log, storage): (&Log, &Storage), launch: &Launch) -> Launched {
    match trace::continued(launch.cause.trace(), attempt(issuer, (log, storage), launch)).await {
        Ok(launched) => launched,
        Err(error) => {
            tracing::warn!(tenant.id = %launch.tenant, automation.id = %launch.automation, %error, "automation launch failed, retrying");
            Launched::Undecided
        }
    }
}

/// A database, log or store error: the launch is retried.
type Unavailable = Box<dyn std::error::Error + Send + Sync>;

async fn attempt(issuer: &Issuer, (log, storage): (&Log, &Storage), launch: &Launch) -> Result<Launched, Unavailable> {
    let Some(facts) = facts(issuer, storage, launch).await? else { return Ok(Launched::NoMatch) };
    let overflow = matches!(launch.cause, TriggerCause::Overflow { .. });
    if !overflow && !condition::both_hold(&launch.spec, &facts) {
        return Ok(Launched::NoMatch);
    }
    if let Some(reason) = launch.skip {
        return record(log, launch, &skipped(launch, reason.into())).await;
    }
    let run = run_of(launch);
    let mut c = log.pool().acquire().await?;
    let queued = match start::queued(&mut c, launch.tenant, &start_request(launch), run, by(launch)).await {
        Ok(queued) => queued,
        // An earlier launch may have queued the run when that was possible.
        Err(error @ (StartError::Invalid { .. } | StartError::TooManyLeads { .. })) => {
            let reason = error.to_string();
            let queued = issuer.load_newest(launch.tenant, run).await?.is_some();
            let event = if queued { fired(launch, run) } else { skipped(launch, reason) };
            return record(log, launch, &event).await;
        }
        Err(error) => return Err(error.into()),
    };
    drop(c);
    let queue = RunCommand::Queue(Box::new(queued));
    match issuer.issue(launch.tenant, run, &queue, cause(launch, "queue")).await {
        // Refused: an earlier launch queued it, with what was valid then.
        Ok(_) | Err(IssueError::AlreadyDone(_) | IssueError::Refused(_)) => {
            record(log, launch, &fired(launch, run)).await
        }
        Err(error) => Err(error.into()),
    }
}

/// What conditions may read; `None` when the leads are not from an upload, or from a run that an automation started.
async fn facts(issuer: &Issuer, storage: &Storage, launch: &Launch) -> Result<Option<Value>, Unavailable> {
    Ok(match &launch.cause {
        TriggerCause::Due { at } => Some(json!({"dueAt": at.rfc3339()})),
        TriggerCause::Received { facts, .. } => Some(with_payload(storage, launch, facts.clone()).await?),
        TriggerCause::Overflow { .. } => Some(Value::Null),
        TriggerCause::AddedLeads { import, leads, .. } => Some(json!({"leads": leads, "rootInputId": import})),
        TriggerCause::Leads { run, artifact, .. } => {
            let made_by = issuer.load(launch.tenant, *run).await?.ok_or("the run of the new leads does not exist")?;
            let queued = made_by.queued();
            let new = matches!(queued.input, RunInput::Import { .. });
            let by_automation = matches!(queued.triggered_by, Actor::Automation(_));
            (new && !by_automation).then(|| {
                json!({
                    "leads": artifact.leads, "runId": run, "rootInputId": queued.root_input_id,
                    "sectorId": queued.sector_id, "sectorName": queued.sector_name,
                    "pipelineName": queued.pipeline_name, "blueprintId": queued.blueprint_id,
                    "triggerType": queued.trigger_type, "totalLeads": queued.total_leads,
                })
            })
        }
    })
}

/// A webhook's payload is not in the log: it is read from the store when a condition needs it. One that was deleted or changed
/// is absent.
async fn with_payload(storage: &Storage, launch: &Launch, mut facts: Value) -> Result<Value, Unavailable> {
    let path = facts["objectPath"].as_str().filter(|_| condition::reads(&launch.spec, "payload"));
    let Some(path) = path.map(str::to_owned) else { return Ok(facts) };
    match storage.get(&path).await {
        Ok(object) => match webhooks::verified_body(&path, &object, &recorded(&facts)) {
            Ok(body) => facts["payload"] = webhooks::payload(&body),
            Err(error) => tracing::error!(
                tenant.id = %launch.tenant, object.path = path, %error, "payload not read: it is not what was recorded"
            ),
        },
        Err(StorageError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(facts)
}

/// Size and digest of the body, as `webhook:received` has them.
fn recorded(received: &Value) -> ObjectDigest {
    let checksum = received["checksum"].as_str().unwrap_or_default().to_owned();
    ObjectDigest { size_bytes: received["sizeBytes"].as_u64().unwrap_or_default(), checksum }
}

fn start_request(launch: &Launch) -> start::StartRequest {
    let usual = RunOptions::default();
    let (source, least) = match &launch.cause {
        TriggerCause::Leads { run, artifact, .. } => {
            (LeadSource::Artifact { run: *run, artifact: artifact.clone() }, artifact.leads)
        }
        TriggerCause::AddedLeads { import, leads, .. } => {
            (LeadSource::Import { import: *import, sector: None }, *leads)
        }
        // Checked when the automation was created; one without a sector is recorded as skipped.
        TriggerCause::Due { .. } | TriggerCause::Received { .. } | TriggerCause::Overflow { .. } => {
            let nowhere = luci_schema::SectorId::from_ulid(Ulid(0));
            (LeadSource::Sector(launch.spec.sector_id.unwrap_or(nowhere).to_string()), 0)
        }
    };
    let max_leads = launch.spec.max_leads.unwrap_or_else(|| usual.max_leads.max(least));
    start::StartRequest {
        source,
        blueprint: Some(launch.spec.blueprint_id),
        pipeline_name: None,
        options: RunOptions { max_leads, ..usual },
        budget_micros: launch.spec.budget_micros,
    }
}

fn by(launch: &Launch) -> StartedBy {
    let trigger = match &launch.spec.trigger {
        luci_schema::event::Trigger::Schedule { .. } => TriggerType::Scheduled,
        luci_schema::event::Trigger::Webhook { .. } => TriggerType::Webhook,
        luci_schema::event::Trigger::LeadCreated { .. } | luci_schema::event::Trigger::MessageReceived { .. } => {
            TriggerType::Automation
        }
    };
    StartedBy { actor: Actor::Automation(launch.automation), trigger }
}

/// The id of the one run that this trigger starts: the trigger's time, and 80 bits of SHA-256.
fn run_of(launch: &Launch) -> RunId {
    let millis = match &launch.cause {
        TriggerCause::Due { at } => u64::try_from(at.0 / 1_000).unwrap_or(0),
        cause => cause.event().map_or(0, |event| event.ulid().timestamp_ms()),
    };
    let digest = Sha256::digest(format!("{}/{}", launch.automation, launch.cause.key()));
    let random = digest.iter().take(10).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    RunId::from_ulid(Ulid::from_parts(millis, random))
}

fn command(launch: &Launch, what: &str) -> CommandId {
    CommandId::derive(&["automation", what, &launch.automation.to_string(), &launch.cause.key()])
}

fn cause(launch: &Launch, what: &str) -> Cause {
    Cause {
        actor: Actor::Automation(launch.automation),
        command: command(launch, what),
        correlation: None,
        causation: launch.cause.event(),
        receipt: None,
        if_match: None,
    }
}

fn fired(launch: &Launch, run_id: RunId) -> ConfigEvent {
    let (automation_id, cause) = (launch.automation, launch.cause.key());
    ConfigEvent::AutomationFired(AutomationFired { automation_id, cause, run_id })
}

fn skipped(launch: &Launch, reason: String) -> ConfigEvent {
    let (automation_id, cause) = (launch.automation, launch.cause.key());
    ConfigEvent::AutomationSkipped(AutomationSkipped { automation_id, cause, reason })
}

/// Appends the outcome once: fired or skipped, whichever is first.
async fn record(log: &Log, launch: &Launch, event: &ConfigEvent) -> Result<Launched, Unavailable> {
    let stream: StreamId = launch.automation.into();
    for _ in 0..MAX_ATTEMPTS {
        let head = log.stream_head(launch.tenant, stream).await?;
        let append = Append {
            tenant: launch.tenant,
            stream,
            expected: head.map_or(Version(0), |(version, _)| version),
            events: vec![event.clone().into()],
            actor: Actor::Automation(launch.automation),
            command: command(launch, "tell"),
            correlation: CorrelationId::generate(),
            causation: launch.cause.event(),
            receipt: Some(NewReceipt { body_digest: [0; 32], outcome: json!({"told": event.type_name()}) }),
        };
        match log.append(append).await {
            Ok(_) => return Ok(Launched::Recorded),
            Err(AppendError::AlreadyDone(_)) => return Ok(Launched::NoMatch),
            Err(AppendError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Launched::Undecided)
}
