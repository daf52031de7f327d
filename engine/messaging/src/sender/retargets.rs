//! Retargets: drafts a campaign's next attempt when the last one has had no reply for the hours of its run's rules.
//!
//! A person approves each draft. The due time is cleared in the transaction that queues the draft, and the draft has the
//! send key of its attempt number, so it is queued exactly once, whatever crashes.

use std::collections::{BTreeMap, HashMap, HashSet};

use luci_config::{AdminError, vault::Vault};
use luci_leads::{
    Lead,
    store::{leads, suppressions},
};
use luci_schema::{BlockId, LeadId, MessageId, RunId, TenantId};
use sqlx::PgConnection;

use crate::{
    rules::{
        channel::{self, Channel},
        context::CampaignContext,
        message,
        opener::{self, Category},
        retarget::{self, CampaignHistory, RetargetRules},
        segments, zones,
    },
    sender::Sender,
    store::{
        attempts::{
            self, NewAttempt,
            retargets_due::{self, DueRetarget},
        },
        send_batch::{ApprovalMode, SendBatch},
        sends,
        sms_queue::{self, NewMessage, PreviousMessage},
    },
};

/// Due attempts of one transaction.
const BATCH: i64 = 200;

/// What retargets of one block's sends have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct RetargetBatch {
    campaign: String,
    campaign_name: Option<String>,
    run: RunId,
    block: BlockId,
    agent: String,
    rules: RetargetRules,
}

impl Sender {
    /// Queues drafts for the retargets that are due. Stops when another sender holds the tenant's lock: that one queues them.
    pub(super) async fn retargets(&self, tenant: TenantId) -> Result<(), AdminError> {
        while retargets_due::any_due(&mut *self.pool.acquire().await?, tenant).await? && !self.stop.is_cancelled() {
            let mut tx = self.pool.begin().await?;
            if !sends::lock(&mut tx, tenant, Channel::Sms).await? {
                break;
            }
            let due = retargets_due::claim_due(&mut tx, tenant, BATCH).await?;
            let drafted = draft(&mut tx, (tenant, self.accounts.vault()), &due).await?;
            tx.commit().await?;
            metrics::counter!("luci_retargets_total").increment(drafted as u64);
        }
        Ok(())
    }
}

async fn draft(
    c: &mut PgConnection,
    (tenant, vault): (TenantId, &Vault),
    due: &[DueRetarget],
) -> Result<usize, sqlx::Error> {
    // One retarget a lead and campaign, even when several of its attempts are due at once.
    let mut seen = HashSet::new();
    let silent: Vec<&DueRetarget> =
        due.iter().filter(|due| due.silent && seen.insert((due.lead_id, due.campaign.as_str()))).collect();
    if silent.is_empty() {
        return Ok(0);
    }
    let leads = RetargetLeads::load(c, (tenant, vault), &silent).await?;
    let mut planned: BTreeMap<RetargetBatch, Vec<NewMessage>> = BTreeMap::new();
    for due in silent {
        if let Some((agent, message)) = leads.message(tenant, due) {
            let (campaign, campaign_name) = (due.campaign.clone(), due.campaign_name.clone());
            let (run, block, rules) = (due.run, due.block, due.rules);
            let batch = RetargetBatch { campaign, campaign_name, run, block, agent, rules };
            planned.entry(batch).or_default().push(message);
        }
    }
    let mut drafted = 0;
    for (batch, mut messages) in planned {
        messages.sort_unstable_by_key(|message| message.send_key);
        drafted += queue_drafts(c, tenant, &batch, &messages).await?;
    }
    Ok(drafted)
}

/// The leads as they are now.
struct RetargetLeads {
    leads: HashMap<LeadId, Lead>,
    contactable: HashSet<LeadId>,
    suppressed: HashSet<String>,
    previous: HashMap<MessageId, PreviousMessage>,
    /// By campaign and lead.
    histories: HashMap<(String, LeadId), CampaignHistory>,
}

impl RetargetLeads {
    async fn load(
        c: &mut PgConnection,
        (tenant, vault): (TenantId, &Vault),
        silent: &[&DueRetarget],
    ) -> Result<Self, sqlx::Error> {
        let ids: Vec<LeadId> = silent.iter().map(|due| due.lead_id).collect();
        let messages: Vec<MessageId> = silent.iter().map(|due| due.message).collect();
        let previous = sms_queue::previous(c, tenant, &messages).await?;
        let numbers: Vec<&str> = previous.values().map(|message| message.to.as_str()).collect();
        let mut campaigns: BTreeMap<&str, Vec<LeadId>> = BTreeMap::new();
        for due in silent {
            campaigns.entry(&due.campaign).or_default().push(due.lead_id);
        }
        let mut histories = HashMap::new();
        for (campaign, leads) in campaigns {
            // A fresh run id: attempts of every run count.
            let found = attempts::history(c, tenant, campaign, RunId::generate(), &leads).await?;
            let texts = found.into_iter().filter(|((_, channel), _)| *channel == Channel::Sms);
            histories.extend(texts.map(|((lead, _), found)| ((campaign.to_owned(), lead), found.history)));
        }
        Ok(Self {
            contactable: leads::contactable(c, tenant, &ids).await?,
            suppressed: suppressions::among(c, tenant, vault, &numbers, &[]).await?,
            leads: leads::load(c, tenant, &ids).await?,
            previous,
            histories,
        })
    }

    /// The agent and the message of the next attempt; none where the lead must not be contacted or the rules end here.
    fn message(&self, tenant: TenantId, due: &DueRetarget) -> Option<(String, NewMessage)> {
        let (lead, previous) = (self.leads.get(&due.lead_id)?, self.previous.get(&due.message)?);
        if !self.contactable.contains(&due.lead_id) || self.suppressed.contains(&previous.to) {
            return None;
        }
        let history = *self.histories.get(&(due.campaign.clone(), due.lead_id))?;
        let number = retarget::next_attempt(history, due.rules, due.now).ok()?;
        let text =
            opener::choose(CampaignContext::Retarget, Category::General, history.retargets + 1, due.run, due.lead_id);
        let body = message::render(text.body, lead);
        let message = NewMessage {
            id: MessageId::generate(),
            send_key: channel::send_key(tenant, Channel::Sms, &previous.to, &due.campaign, number),
            lead_id: due.lead_id,
            to: previous.to.clone(),
            segments: segments::count(&body),
            body,
            priority: previous.priority,
            attempt_number: number,
            template: Some(text.name.to_owned()),
            template_version: None,
            time_zones: zones::of_lead(&previous.to, lead),
        };
        Some((previous.agent.clone(), message))
    }
}

/// Returns how many were queued: an attempt number that a run has queued meanwhile is not queued again.
async fn queue_drafts(
    c: &mut PgConnection,
    tenant: TenantId,
    batch: &RetargetBatch,
    messages: &[NewMessage],
) -> Result<usize, sqlx::Error> {
    let sends = SendBatch {
        run: batch.run,
        block: batch.block,
        campaign: &batch.campaign,
        context: CampaignContext::Retarget,
        mode: ApprovalMode::Draft,
        agent: &batch.agent,
        media_url: None,
    };
    let queued = sms_queue::queue(c, tenant, &sends, messages).await?;
    let attempt = |message: &NewMessage| NewAttempt {
        lead_id: message.lead_id,
        send_id: message.id.into(),
        number: message.attempt_number,
        approval_required: true,
        auto_retarget: true,
        rules: batch.rules,
        template: message.template.clone(),
        template_version: None,
        segments: Some(message.segments),
    };
    let drafts: Vec<NewAttempt> = messages
        .iter()
        .filter(|message| queued.get(&message.send_key).is_some_and(|owner| owner.is(message.lead_id)))
        .map(attempt)
        .collect();
    attempts::record(c, tenant, &sends, batch.campaign_name.as_deref(), &drafts).await?;
    Ok(drafts.len())
}
