//! The automations folded from the log: due, missed, overlapping and pending triggers.

use luci_schema::{
    BlueprintId, WebhookId,
    event::{
        AutomationCreated, AutomationDisabled, AutomationEnabled, AutomationFired, CatchUp, MessageReceived, Overlap,
        WebhookReceived,
    },
    sample,
};

use super::*;

const MINUTE: i64 = 60_000_000;

fn recorded(tenant: TenantId, stream: StreamId, at: i64, event: ConfigEvent) -> Recorded {
    Recorded { recorded_at: Micros(at), ..sample::recorded(tenant, stream, event) }
}

struct Fixture {
    automations: Automations,
    tenant: TenantId,
    id: AutomationId,
}

/// Due at each full hour.
fn hourly(overlap: Overlap, catch_up: CatchUp) -> Fixture {
    let (cron, time_zone) = ("0 * * * *".into(), "UTC".into());
    enabled(Trigger::Schedule { cron, time_zone, overlap, catch_up, conditions: vec![] })
}

/// Created and enabled at 0.
fn enabled(trigger: Trigger) -> Fixture {
    let (tenant, id) = (TenantId::generate(), AutomationId::generate());
    let spec = AutomationSpec {
        name: "one".into(),
        trigger,
        blueprint_id: BlueprintId::generate(),
        sector_id: None,
        conditions: vec![],
        max_leads: None,
        budget_micros: None,
    };
    let mut fixture = Fixture { automations: Automations::default(), tenant, id };
    fixture.fold(ConfigEvent::AutomationCreated(Box::new(AutomationCreated { automation_id: id, spec })), 0);
    fixture.fold(ConfigEvent::AutomationEnabled(AutomationEnabled { automation_id: id }), 0);
    fixture
}

impl Fixture {
    fn fold(&mut self, event: ConfigEvent, at: i64) {
        self.automations.fold(&recorded(self.tenant, self.id.into(), at, event));
    }

    fn fired(&mut self, cause: &TriggerCause) {
        let (automation_id, run_id) = (self.id, RunId::generate());
        self.fold(ConfigEvent::AutomationFired(AutomationFired { automation_id, cause: cause.key(), run_id }), 0);
    }

    fn due(&mut self, minutes: i64) -> Vec<(i64, Option<&'static str>)> {
        let taken = self.automations.take(Micros(minutes * MINUTE));
        let at = |launch: &Launch| match launch.cause {
            TriggerCause::Due { at } => (at.0 / MINUTE, launch.skip),
            _ => panic!("no schedule"),
        };
        taken.iter().map(at).collect()
    }

    /// Saved and loaded again.
    fn restarted(&mut self) {
        let watched = self.automations.get(self.id).unwrap();
        let triggers = watched.pending.values().map(|cause| (self.id, cause.clone())).collect();
        let state = serde_json::from_str(&serde_json::to_string(watched).unwrap()).unwrap();
        self.automations = Automations::restore(vec![(self.id, state)], triggers);
    }
}

#[test]
fn a_due_time_is_launched_once_and_again_after_a_restart() {
    let mut fixture = hourly(Overlap::Allow, CatchUp::Last);
    assert_eq!(fixture.automations.next_due(), Some(Micros(60 * MINUTE)));
    assert_eq!(fixture.due(59), []);
    assert_eq!(fixture.due(60), [(60, None)]);
    assert_eq!(fixture.due(61), [], "it is being launched");
    fixture.restarted();
    assert_eq!(fixture.due(61), [(60, None)], "the log has no outcome");
    fixture.fired(&TriggerCause::Due { at: Micros(60 * MINUTE) });
    assert_eq!(fixture.due(62), []);
    assert_eq!(fixture.automations.next_due(), Some(Micros(120 * MINUTE)));
}

#[test]
fn missed_times_follow_the_catch_up_policy() {
    assert_eq!(hourly(Overlap::Allow, CatchUp::Last).due(190), [(180, None)]);
    assert_eq!(hourly(Overlap::Allow, CatchUp::None).due(190), []);
    assert_eq!(hourly(Overlap::Allow, CatchUp::None).due(181), [(180, None)], "a minute late is on time");
    let mut all = hourly(Overlap::Allow, CatchUp::All);
    for due in [60, 120, 180] {
        assert_eq!(all.due(190), [(due, None)]);
        all.fired(&TriggerCause::Due { at: Micros(due * MINUTE) });
    }
    assert_eq!(all.due(190), []);
}

#[test]
fn active_runs_follow_the_overlap_policy() {
    for (overlap, expected) in
        [(Overlap::Allow, vec![(60, None)]), (Overlap::Skip, vec![(60, Some("overlap"))]), (Overlap::Queue, vec![])]
    {
        let mut fixture = hourly(overlap, CatchUp::Last);
        let run = RunId::generate();
        fixture.automations.change(fixture.id, |watched| {
            watched.active.insert(run);
        });
        assert_eq!(fixture.due(60), expected, "{overlap:?}");
        if overlap == Overlap::Queue {
            fixture.automations.change(fixture.id, |watched| {
                watched.active.remove(&run);
            });
            assert_eq!(fixture.due(70), [(60, None)], "it waited for the end");
        }
    }
}

#[test]
fn a_disabled_automation_is_not_due_and_enabling_does_not_catch_up() {
    let mut fixture = hourly(Overlap::Allow, CatchUp::All);
    let automation_id = fixture.id;
    fixture.fold(ConfigEvent::AutomationDisabled(AutomationDisabled { automation_id }), 30 * MINUTE);
    assert_eq!((fixture.due(200), fixture.automations.next_due()), (vec![], None));
    fixture.fold(ConfigEvent::AutomationEnabled(AutomationEnabled { automation_id }), 200 * MINUTE);
    assert_eq!(fixture.due(200), []);
    assert_eq!(fixture.due(240), [(240, None)]);
}

#[test]
fn a_message_triggers_all_that_wait_and_a_webhook_the_named_one() {
    let message: fn(&Fixture) -> ConfigEvent = |_| {
        ConfigEvent::MessageReceived(MessageReceived {
            webhook_id: WebhookId::generate(),
            lead_id: None,
            message_id: None,
            channel: "sms".into(),
            class: "interest".into(),
            rule: None,
        })
    };
    let named: fn(&Fixture) -> ConfigEvent = |fixture| webhook(&format!("automation:{}", fixture.id));
    let other: fn(&Fixture) -> ConfigEvent = |_| webhook(&format!("automation:{}", AutomationId::generate()));
    let status: fn(&Fixture) -> ConfigEvent = |_| webhook("status");
    let (on_message, on_webhook, on_leads) = (
        Trigger::MessageReceived { conditions: vec![] },
        Trigger::Webhook { conditions: vec![] },
        Trigger::LeadCreated { conditions: vec![] },
    );
    for (event, trigger, expected) in [
        (message, &on_message, 1),
        (message, &on_webhook, 0),
        (named, &on_webhook, 1),
        (other, &on_webhook, 0),
        (status, &on_webhook, 0),
        (named, &on_message, 0),
        (named, &on_leads, 0),
    ] {
        let mut fixture = enabled(trigger.clone());
        let event = recorded(fixture.tenant, fixture.id.into(), 5, event(&fixture));
        fixture.automations.fold(&event);
        let taken = fixture.automations.take(Micros(6));
        assert_eq!(taken.len(), expected, "{} for {trigger:?}", event.data);
        for launch in taken {
            let facts = serde_json::from_str(&event.data).unwrap();
            assert_eq!(launch.cause, TriggerCause::Received { event: event.event_id, facts, trace: None });
        }
        assert!(fixture.automations.take(Micros(7)).is_empty(), "once");
    }
}

fn webhook(purpose: &str) -> ConfigEvent {
    ConfigEvent::WebhookReceived(Box::new(WebhookReceived {
        webhook_id: WebhookId::generate(),
        source: "generic".into(),
        kind: "order.paid".into(),
        purpose: purpose.into(),
        verified_by: "hmac".into(),
        object_path: "tenant/webhooks/generic/2026-01-01/wh.json".into(),
        size_bytes: 2,
        checksum: String::new(),
        unread: None,
    }))
}

#[test]
fn pending_triggers_are_bounded_and_saved_one_by_one() {
    let mut fixture = enabled(Trigger::Webhook { conditions: vec![] });
    let purpose = format!("automation:{}", fixture.id);
    fixture.automations.changed.clear();
    for _ in 0..=MAX_PENDING {
        fixture.fold(webhook(&purpose), 5);
    }
    assert!(fixture.automations.changed.is_empty(), "the automation's own row is not rewritten");
    assert_eq!(fixture.automations.changed_triggers.len(), MAX_PENDING + 1);
    let taken = fixture.automations.take(Micros(6));
    let skipped: Vec<_> = taken.iter().filter(|launch| launch.skip == Some("too_many_pending")).collect();
    assert_eq!((taken.len(), skipped.len()), (MAX_PENDING + 1, 1));
    assert!(matches!(skipped[0].cause, TriggerCause::Overflow { .. }), "without the facts");
    fixture.automations.changed_triggers.clear();
    let cause = taken[0].cause.clone();
    fixture.fired(&cause);
    assert_eq!(fixture.automations.changed_triggers.iter().next().unwrap().1, cause.key());
}

#[test]
fn a_list_of_pending_triggers_from_an_earlier_version_is_moved() {
    let mut fixture = enabled(Trigger::Webhook { conditions: vec![] });
    let mut state = serde_json::to_value(fixture.automations.get(fixture.id).unwrap()).unwrap();
    assert_eq!(state.get("pending"), None);
    let event = luci_schema::EventId::generate();
    state["pending"] = serde_json::json!([{"kind": "told", "event": event, "facts": {"a": 1}}]);
    let row = (fixture.id, serde_json::from_value(state).unwrap());
    fixture.automations = Automations::restore(vec![row], vec![]);
    assert_eq!(fixture.automations.changed.len() + fixture.automations.changed_triggers.len(), 2);
    let facts = serde_json::json!({"a": 1});
    assert_eq!(fixture.automations.take(Micros(6))[0].cause, TriggerCause::Received { event, facts, trace: None });
}

#[test]
fn failed_runs_are_bounded() {
    let mut fixture = hourly(Overlap::Allow, CatchUp::Last);
    for _ in 0..2_000 {
        fixture.automations.change(fixture.id, |watched| watched.run_failed(RunId::generate()));
    }
    assert_eq!(fixture.automations.get(fixture.id).unwrap().failed.len(), 1_000);
}
