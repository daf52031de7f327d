//! The automations as the clock knows them: what is due, what was missed, what overlaps, and what comes once.

use luci_schema::{
    BlueprintId, WebhookId,
    event::{
        AutomationCreated, AutomationDisabled, AutomationEnabled, AutomationFired, CatchUp, MessageReceived, Overlap,
        WebhookReceived,
    },
};

use super::*;
use crate::sample;

const MINUTE: i64 = 60_000_000;

fn recorded(tenant: TenantId, stream: StreamId, at: i64, event: ConfigEvent) -> Recorded {
    Recorded { recorded_at: Micros(at), ..sample::recorded(tenant, stream, event) }
}

struct Ground {
    automations: Automations,
    tenant: TenantId,
    id: AutomationId,
}

/// Due at each full hour.
fn hourly(overlap: Overlap, catch_up: CatchUp) -> Ground {
    let (cron, time_zone) = ("0 * * * *".into(), "UTC".into());
    enabled(Trigger::Schedule { cron, time_zone, overlap, catch_up, conditions: vec![] })
}

/// Made and enabled at 0.
fn enabled(trigger: Trigger) -> Ground {
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
    let mut ground = Ground { automations: Automations::default(), tenant, id };
    ground.fold(ConfigEvent::AutomationCreated(Box::new(AutomationCreated { automation_id: id, spec })), 0);
    ground.fold(ConfigEvent::AutomationEnabled(AutomationEnabled { automation_id: id }), 0);
    ground
}

impl Ground {
    fn fold(&mut self, event: ConfigEvent, at: i64) {
        self.automations.fold(&recorded(self.tenant, self.id.into(), at, event));
    }

    fn fired(&mut self, cause: &Cause) {
        let (automation_id, run_id) = (self.id, RunId::generate());
        self.fold(ConfigEvent::AutomationFired(AutomationFired { automation_id, cause: cause.key(), run_id }), 0);
    }

    fn due(&mut self, minutes: i64) -> Vec<(i64, Option<&'static str>)> {
        let taken = self.automations.take(Micros(minutes * MINUTE));
        let at = |wanted: &Wanted| match wanted.cause {
            Cause::Due { at } => (at.0 / MINUTE, wanted.refused),
            Cause::Leads { .. } | Cause::Brought { .. } | Cause::Told { .. } => panic!("no schedule"),
        };
        taken.iter().map(at).collect()
    }

    /// As saved and loaded: what only memory held is gone.
    fn restarted(&mut self) {
        let kept = serde_json::to_string(self.automations.get(self.id).unwrap()).unwrap();
        self.automations = Automations::restore(vec![(self.id, serde_json::from_str(&kept).unwrap())]);
    }
}

#[test]
fn a_due_time_comes_once_until_the_log_tells_and_again_after_a_restart() {
    let mut ground = hourly(Overlap::Allow, CatchUp::Last);
    assert_eq!(ground.automations.next(), Some(Micros(60 * MINUTE)));
    assert_eq!(ground.due(59), []);
    assert_eq!(ground.due(60), [(60, None)]);
    assert_eq!(ground.due(61), [], "it is being started");
    ground.restarted();
    assert_eq!(ground.due(61), [(60, None)], "the log has told nothing");
    ground.fired(&Cause::Due { at: Micros(60 * MINUTE) });
    assert_eq!(ground.due(62), []);
    assert_eq!(ground.automations.next(), Some(Micros(120 * MINUTE)));
}

#[test]
fn missed_times_are_made_up_for_by_policy() {
    assert_eq!(hourly(Overlap::Allow, CatchUp::Last).due(190), [(180, None)]);
    assert_eq!(hourly(Overlap::Allow, CatchUp::None).due(190), []);
    assert_eq!(hourly(Overlap::Allow, CatchUp::None).due(181), [(180, None)], "a minute late is on time");
    let mut all = hourly(Overlap::Allow, CatchUp::All);
    for due in [60, 120, 180] {
        assert_eq!(all.due(190), [(due, None)]);
        all.fired(&Cause::Due { at: Micros(due * MINUTE) });
    }
    assert_eq!(all.due(190), []);
}

#[test]
fn an_earlier_run_that_has_not_ended_is_overlapped_by_policy() {
    for (overlap, expected) in
        [(Overlap::Allow, vec![(60, None)]), (Overlap::Skip, vec![(60, Some("overlap"))]), (Overlap::Queue, vec![])]
    {
        let mut ground = hourly(overlap, CatchUp::Last);
        let run = RunId::generate();
        ground.automations.change(ground.id, |watched| {
            watched.active.insert(run);
        });
        assert_eq!(ground.due(60), expected, "{overlap:?}");
        if overlap == Overlap::Queue {
            ground.automations.change(ground.id, |watched| {
                watched.active.remove(&run);
            });
            assert_eq!(ground.due(70), [(60, None)], "it waited for the end");
        }
    }
}

#[test]
fn a_disabled_one_is_not_due_and_enabling_does_not_look_back() {
    let mut ground = hourly(Overlap::Allow, CatchUp::All);
    let automation_id = ground.id;
    ground.fold(ConfigEvent::AutomationDisabled(AutomationDisabled { automation_id }), 30 * MINUTE);
    assert_eq!((ground.due(200), ground.automations.next()), (vec![], None));
    ground.fold(ConfigEvent::AutomationEnabled(AutomationEnabled { automation_id }), 200 * MINUTE);
    assert_eq!(ground.due(200), []);
    assert_eq!(ground.due(240), [(240, None)]);
}

#[test]
fn a_message_is_for_all_that_wait_for_one_and_a_webhook_for_the_one_that_is_named() {
    let message: fn(&Ground) -> ConfigEvent = |_| {
        ConfigEvent::MessageReceived(MessageReceived {
            webhook_id: WebhookId::generate(),
            lead_id: None,
            message_id: None,
            channel: "sms".into(),
            class: "interest".into(),
        })
    };
    let named: fn(&Ground) -> ConfigEvent = |ground| webhook(&format!("automation:{}", ground.id));
    let other: fn(&Ground) -> ConfigEvent = |_| webhook(&format!("automation:{}", AutomationId::generate()));
    let status: fn(&Ground) -> ConfigEvent = |_| webhook("status");
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
        let mut ground = enabled(trigger.clone());
        let event = recorded(ground.tenant, ground.id.into(), 5, event(&ground));
        ground.automations.fold(&event);
        let taken = ground.automations.take(Micros(6));
        assert_eq!(taken.len(), expected, "{} for {trigger:?}", event.data);
        for wanted in taken {
            let facts = serde_json::from_str(&event.data).unwrap();
            assert_eq!(wanted.cause, Cause::Told { event: event.event_id, facts });
        }
        assert!(ground.automations.take(Micros(7)).is_empty(), "once");
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
    }))
}
