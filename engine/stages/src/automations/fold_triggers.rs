//! Events that trigger automations, folded into pending triggers. Pure.

use luci_messaging::store::webhook_tokens::WebhookPurpose;
use luci_schema::{
    AutomationId, BlockEvent, Recorded, RunId, TenantId,
    event::{BlockCompleted, LeadsCreated, Trigger, WebhookReceived},
};
use serde_json::Value;

use super::{fold::Automations, trigger::TriggerCause};

impl Automations {
    pub(super) fn leads_added(&mut self, added: &LeadsCreated, recorded: &Recorded) {
        if added.leads > 0 {
            let (event, import, leads, trace) = (recorded.event_id, added.import_id, added.leads, recorded.trace());
            self.enqueue_all(
                self.waiting_for_leads(recorded.tenant_id),
                &TriggerCause::AddedLeads { event, import, leads, trace },
            );
        }
    }

    pub(super) fn message_received(&mut self, recorded: &Recorded) {
        let waits = |trigger: &Trigger| matches!(trigger, Trigger::MessageReceived { .. });
        self.received(self.waiting(recorded.tenant_id, waits), recorded);
    }

    /// A webhook is for the one automation that its address was made for.
    pub(super) fn webhook_received(&mut self, webhook: &WebhookReceived, recorded: &Recorded) {
        let purpose = webhook.purpose.parse::<WebhookPurpose>();
        let mut waiting = self.waiting(recorded.tenant_id, |trigger| matches!(trigger, Trigger::Webhook { .. }));
        waiting.retain(|id| purpose == Ok(WebhookPurpose::Automation(*id)));
        self.received(waiting, recorded);
    }

    fn received(&mut self, waiting: Vec<AutomationId>, recorded: &Recorded) {
        if waiting.is_empty() {
            return;
        }
        let facts = serde_json::from_str(&recorded.data).unwrap_or(Value::Null);
        let (event, trace) = (recorded.event_id, recorded.trace());
        self.enqueue_all(waiting, &TriggerCause::Received { event, facts, trace });
    }

    pub(super) fn fold_block(&mut self, event: &BlockEvent, run: RunId, recorded: &Recorded) {
        match event {
            BlockEvent::Completed(block) => self.new_leads(run, block, recorded),
            BlockEvent::Queued(_)
            | BlockEvent::Started(_)
            | BlockEvent::Failed(_)
            | BlockEvent::Retried(_)
            | BlockEvent::Skipped(_)
            | BlockEvent::Cancelled(_) => {}
        }
    }

    fn waiting_for_leads(&self, tenant: TenantId) -> Vec<AutomationId> {
        self.waiting(tenant, |trigger| matches!(trigger, Trigger::LeadCreated { .. }))
    }

    /// Never for leads of a run that an automation started: two automations could trigger each other forever.
    fn new_leads(&mut self, run: RunId, block: &BlockCompleted, recorded: &Recorded) {
        if !crate::makes_leads(block.stage) {
            return;
        }
        let waiting = self.waiting_for_leads(recorded.tenant_id);
        if waiting.is_empty() || self.automation_of(recorded.tenant_id, run).is_some() {
            return;
        }
        let output = block.stage.artifact_type();
        if let Some(made) = block.report.artifacts.iter().find(|a| a.artifact_type == output && a.leads > 0) {
            let (event, artifact, trace) = (recorded.event_id, Box::new(made.clone()), recorded.trace());
            let cause = TriggerCause::Leads { event, run, artifact, trace };
            self.enqueue_all(waiting, &cause);
        }
    }
}
