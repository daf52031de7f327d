//! A run that an automation wants, started: conditions first, then the run, then word of it in the automation's history.
//!
//! The run's id derives from automation and trigger, and the word's command id too: carried out twice, nothing changes.

use luci_schema::{
    Actor, CommandId, ConfigEvent, CorrelationId, EventId, RunId, StreamId, Version,
    event::{AutomationFired, AutomationSkipped, RunInput, RunOptions, TriggerType},
    log::{Append, AppendError, Log, NewReceipt},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use ulid::Ulid;

use super::automations::{Cause as Trigger, Wanted};
use crate::{
    automation::condition,
    issue::{Cause, IssueError, Issuer},
    run::RunCommand,
    start::{self, Source, StartError, StartedBy},
    storage::{Storage, StorageError},
    webhooks,
};

/// How often word of a run is appended anew after somebody else wrote to the automation.
const TRIES: usize = 8;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Launched {
    /// The log tells, or will.
    Told,
    /// The conditions do not hold, the leads are not new, or it was told before: nothing is told.
    Unwanted,
    NotNow,
}

pub(super) async fn launch(issuer: &Issuer, (log, storage): (&Log, &Storage), wanted: &Wanted) -> Launched {
    match attempt(issuer, (log, storage), wanted).await {
        Ok(launched) => launched,
        Err(error) => {
            tracing::warn!(automation.id = %wanted.automation, %error, "an automation waits");
            Launched::NotNow
        }
    }
}

/// Something of ours is away: the same again later.
type Away = Box<dyn std::error::Error + Send + Sync>;

async fn attempt(issuer: &Issuer, (log, storage): (&Log, &Storage), wanted: &Wanted) -> Result<Launched, Away> {
    let Some(facts) = facts(issuer, storage, wanted).await? else { return Ok(Launched::Unwanted) };
    if !condition::both_hold(&wanted.spec, &facts) {
        return Ok(Launched::Unwanted);
    }
    if let Some(reason) = wanted.refused {
        return tell(log, wanted, &skipped(wanted, reason.into())).await;
    }
    let run = run_of(wanted);
    let mut c = log.pool().acquire().await?;
    let queued = match start::queued(&mut c, wanted.tenant, &asked(wanted), run, by(wanted)).await {
        Ok(queued) => queued,
        // A firing before this one may have queued it, when it was possible.
        Err(error @ (StartError::Invalid { .. } | StartError::TooManyLeads { .. })) => {
            let reason = error.to_string();
            let queued = issuer.load_newest(wanted.tenant, run).await?.is_some();
            let event = if queued { fired(wanted, run) } else { skipped(wanted, reason) };
            return tell(log, wanted, &event).await;
        }
        Err(error) => return Err(error.into()),
    };
    drop(c);
    let queue = RunCommand::Queue(Box::new(queued));
    match issuer.issue(wanted.tenant, run, &queue, cause(wanted, "queue")).await {
        // Refused: it was queued before, with what was true then.
        Ok(_) | Err(IssueError::AlreadyDone(_) | IssueError::Refused(_)) => {
            tell(log, wanted, &fired(wanted, run)).await
        }
        Err(error) => Err(error.into()),
    }
}

/// What conditions may ask; `None` when the leads were not made by an upload, or by a run that an automation started.
async fn facts(issuer: &Issuer, storage: &Storage, wanted: &Wanted) -> Result<Option<Value>, Away> {
    Ok(match &wanted.cause {
        Trigger::Due { at } => Some(json!({"dueAt": at.rfc3339()})),
        Trigger::Told { facts, .. } => Some(told(storage, wanted, facts.clone()).await?),
        Trigger::Brought { import, leads, .. } => Some(json!({"leads": leads, "rootInputId": import})),
        Trigger::Leads { run, artifact, .. } => {
            let made_by = issuer.load(wanted.tenant, *run).await?.ok_or("the run of new leads is not there")?;
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

/// What a webhook said is no part of the log: it is read where a condition asks for it. Gone by now, it is absent.
async fn told(storage: &Storage, wanted: &Wanted, mut facts: Value) -> Result<Value, Away> {
    let path = facts["objectPath"].as_str().filter(|_| condition::asks(&wanted.spec, "payload"));
    let Some(path) = path.map(str::to_owned) else { return Ok(facts) };
    match storage.get(&path).await {
        Ok(object) => facts["payload"] = webhooks::payload(&object),
        Err(StorageError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(facts)
}

fn asked(wanted: &Wanted) -> start::Wanted {
    let usual = RunOptions::default();
    let (source, least) = match &wanted.cause {
        Trigger::Leads { run, artifact, .. } => {
            (Source::Artifact { run: *run, artifact: artifact.clone() }, artifact.leads)
        }
        Trigger::Brought { import, leads, .. } => (Source::Import { import: *import, sector: None }, *leads),
        // Checked when the automation was made; one without a sector is told of as skipped.
        Trigger::Due { .. } | Trigger::Told { .. } => {
            let nowhere = luci_schema::SectorId::from_ulid(Ulid(0));
            (Source::Sector(wanted.spec.sector_id.unwrap_or(nowhere).to_string()), 0)
        }
    };
    let max_leads = wanted.spec.max_leads.unwrap_or_else(|| usual.max_leads.max(least));
    start::Wanted {
        source,
        blueprint: Some(wanted.spec.blueprint_id),
        pipeline_name: None,
        options: RunOptions { max_leads, ..usual },
        budget_micros: wanted.spec.budget_micros,
    }
}

fn by(wanted: &Wanted) -> StartedBy {
    let trigger = match &wanted.spec.trigger {
        luci_schema::event::Trigger::Schedule { .. } => TriggerType::Scheduled,
        luci_schema::event::Trigger::Webhook { .. } => TriggerType::Webhook,
        luci_schema::event::Trigger::LeadCreated { .. } | luci_schema::event::Trigger::MessageReceived { .. } => {
            TriggerType::Automation
        }
    };
    StartedBy { actor: Actor::Automation(wanted.automation), trigger }
}

/// The id of the one run that this trigger starts: the trigger's time, and 80 bits of SHA-256.
fn run_of(wanted: &Wanted) -> RunId {
    let millis = match &wanted.cause {
        Trigger::Leads { event, .. } | Trigger::Brought { event, .. } | Trigger::Told { event, .. } => {
            event.ulid().timestamp_ms()
        }
        Trigger::Due { at } => u64::try_from(at.0 / 1_000).unwrap_or(0),
    };
    let digest = Sha256::digest(format!("{}/{}", wanted.automation, wanted.cause.key()));
    let random = digest.iter().take(10).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    RunId::from_ulid(Ulid::from_parts(millis, random))
}

fn event_of(wanted: &Wanted) -> Option<EventId> {
    match &wanted.cause {
        Trigger::Leads { event, .. } | Trigger::Brought { event, .. } | Trigger::Told { event, .. } => Some(*event),
        Trigger::Due { .. } => None,
    }
}

fn command(wanted: &Wanted, what: &str) -> CommandId {
    CommandId::derive(&["automation", what, &wanted.automation.to_string(), &wanted.cause.key()])
}

fn cause(wanted: &Wanted, what: &str) -> Cause {
    Cause {
        actor: Actor::Automation(wanted.automation),
        command: command(wanted, what),
        correlation: None,
        causation: event_of(wanted),
        receipt: None,
        if_match: None,
    }
}

fn fired(wanted: &Wanted, run_id: RunId) -> ConfigEvent {
    let (automation_id, cause) = (wanted.automation, wanted.cause.key());
    ConfigEvent::AutomationFired(AutomationFired { automation_id, cause, run_id })
}

fn skipped(wanted: &Wanted, reason: String) -> ConfigEvent {
    let (automation_id, cause) = (wanted.automation, wanted.cause.key());
    ConfigEvent::AutomationSkipped(AutomationSkipped { automation_id, cause, reason })
}

/// Appends word of it once: fired or skipped, whichever came first.
async fn tell(log: &Log, wanted: &Wanted, event: &ConfigEvent) -> Result<Launched, Away> {
    let stream: StreamId = wanted.automation.into();
    for _ in 0..TRIES {
        let head = log.stream_head(wanted.tenant, stream).await?;
        let append = Append {
            tenant: wanted.tenant,
            stream,
            expected: head.map_or(Version(0), |(version, _)| version),
            events: vec![event.clone().into()],
            actor: Actor::Automation(wanted.automation),
            command: command(wanted, "tell"),
            correlation: CorrelationId::generate(),
            causation: event_of(wanted),
            receipt: Some(NewReceipt { body_digest: [0; 32], outcome: json!({"told": event.type_name()}) }),
        };
        match log.append(append).await {
            Ok(_) => return Ok(Launched::Told),
            Err(AppendError::AlreadyDone(_)) => return Ok(Launched::Unwanted),
            Err(AppendError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Launched::NotNow)
}
