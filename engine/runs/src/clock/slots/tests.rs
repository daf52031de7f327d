//! Admissions after folded events.

use luci_schema::{
    event::{RunCompleted, RunFailed, RunQueued, RunResumed, RunStarted, RunSummary},
    sample,
};

use super::*;

fn recorded(position: u64, tenant: TenantId, run: RunId, event: RunEvent) -> Recorded {
    Recorded { position: Position(position), ..sample::recorded(tenant, run, event) }
}

fn queued(active_runs: u32) -> RunEvent {
    let run = serde_json::json!({
        "pipelineName": "p", "blueprintId": luci_schema::BlueprintId::generate(), "blueprintVersion": 1,
        "stages": [], "input": {"kind": "sector", "sectorId": luci_schema::SectorId::generate()},
        "rootInputId": "i", "rootRunId": RunId::generate(), "totalLeads": 0, "options": {},
        "activeRuns": active_runs, "triggeredBy": "system", "triggerType": "manual"
    });
    RunEvent::Queued(Box::new(serde_json::from_value::<RunQueued>(run).unwrap()))
}

fn started() -> RunEvent {
    RunEvent::Started(RunStarted { sector_id: None })
}

fn completed() -> RunEvent {
    RunEvent::Completed(RunCompleted { summary: RunSummary::default() })
}

fn failed() -> RunEvent {
    let error = serde_json::json!({"code": "INTERNAL", "message": "m", "retryable": false});
    let error = serde_json::from_value(error).unwrap();
    RunEvent::Failed(RunFailed { error, summary: RunSummary::default() })
}

fn runs(admitted: &[Admission]) -> Vec<RunId> {
    admitted.iter().map(|a| a.run).collect()
}

/// Five runs of one tenant with two slots: the two oldest are admitted.
fn five() -> (Slots, TenantId, Vec<RunId>) {
    let (mut slots, tenant) = (Slots::default(), TenantId::generate());
    let five: Vec<RunId> = (0..5).map(|_| RunId::generate()).collect();
    for (n, run) in (1..).zip(&five) {
        slots.fold(&recorded(n, tenant, *run, queued(2)));
    }
    assert_eq!(runs(&slots.admit()), five[..2]);
    assert!(slots.admit().is_empty());
    (slots, tenant, five)
}

#[test]
fn an_ended_run_frees_its_slot_for_the_oldest_waiting_one() {
    let (mut slots, tenant, five) = five();
    slots.fold(&recorded(6, tenant, five[0], started()));
    slots.fold(&recorded(7, tenant, five[0], RunEvent::Paused(serde_json::from_str("{}").unwrap())));
    assert!(slots.admit().is_empty(), "a paused run keeps its slot");
    slots.fold(&recorded(8, tenant, five[0], failed()));
    assert_eq!(runs(&slots.admit()), [five[2]], "a failed one releases it");
    slots.fold(&recorded(9, tenant, five[0], RunEvent::Resumed(RunResumed::default())));
    slots.fold(&recorded(10, tenant, five[1], completed()));
    assert!(slots.admit().is_empty(), "the resumed one took a slot again");
}

#[test]
fn tenants_do_not_wait_for_each_other() {
    let (mut slots, _, _) = five();
    let (other, run) = (TenantId::generate(), RunId::generate());
    slots.fold(&recorded(6, other, run, queued(1)));
    assert_eq!(runs(&slots.admit()), [run]);
}

#[test]
fn a_start_that_was_not_decided_waits_again_at_its_old_position() {
    let (mut slots, tenant, five) = five();
    slots.settle(five[0], StartOutcome::Retry);
    assert_eq!(runs(&slots.admit()), [five[0]]);
    slots.fold(&recorded(6, tenant, five[0], started()));
    slots.settle(five[0], StartOutcome::Retry);
    assert_eq!(slots.run(five[0]).unwrap().state, SlotState::Active, "the folded start counts");
}

#[test]
fn what_was_saved_is_what_is_restored() {
    let (slots, tenant, five) = five();
    let saved = five.iter().map(|run| {
        let admission = *slots.run(*run).unwrap();
        Admission { state: SlotState::Waiting, ..admission }
    });
    let mut restored = Slots::restore(vec![(tenant, slots.limit_of(tenant).unwrap())], saved.collect());
    assert!(restored.changed_runs.is_empty());
    assert_eq!(runs(&restored.admit()), five[..2]);
}
