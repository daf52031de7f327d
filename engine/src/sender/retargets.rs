//! Retargets by the clock: when nobody has answered an attempt for as long as its run's rules say, the campaign's next one is
//! drafted, under the same rules.
//!
//! A person approves each. The due time is taken in the transaction that queues the draft, and the draft stands under
//! the send key of its attempt number: it is queued once, whatever crashes.

use std::collections::{BTreeMap, HashMap, HashSet};

use luci_schema::{BlockId, LeadId, MessageId, RunId, TenantId};
use sqlx::PgConnection;

use super::Sender;
use crate::{
    admin::AdminError,
    book::{
        attempts::{
            self, Attempt,
            due::{self, Due},
        },
        leads,
        sends::{self, Queue},
        sms_queue::{self, Earlier, Message, Mode, Queuing},
        suppressions,
    },
    lead::{
        Lead,
        channel::{self, Channel},
        context::Context,
        message,
        opener::{self, Category},
        retarget::{self, History, Rules},
        segments, zone,
    },
};

/// Attempts that are looked at in one transaction.
const BATCH: usize = 200;

/// Retargets of one block's sends: what they have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    campaign: String,
    campaign_name: Option<String>,
    run: RunId,
    block: BlockId,
    agent: &'static str,
    rules: Rules,
}

impl Sender {
    /// Drafts what is due. Whoever sends for the tenant at this moment does it, or the next pass.
    pub(super) async fn retargets(&self, tenant: TenantId) -> Result<(), AdminError> {
        while due::any(&mut *self.pool.acquire().await?, tenant).await? && !self.stop.is_cancelled() {
            let mut tx = self.pool.begin().await?;
            if !sends::lock(&mut tx, tenant, Queue::Messages).await? {
                break;
            }
            let taken = due::take(&mut tx, tenant, BATCH as i64).await?;
            let drafted = draft(&mut tx, tenant, &taken).await?;
            tx.commit().await?;
            metrics::counter!("luci_retargets_total").increment(drafted as u64);
        }
        Ok(())
    }
}

async fn draft(c: &mut PgConnection, tenant: TenantId, taken: &[Due]) -> Result<usize, sqlx::Error> {
    // A lead whose attempts came due together is tried again once.
    let mut seen = HashSet::new();
    let silent: Vec<&Due> =
        taken.iter().filter(|due| due.silent && seen.insert((due.lead_id, due.campaign.as_str()))).collect();
    if silent.is_empty() {
        return Ok(0);
    }
    let known = Known::load(c, tenant, &silent).await?;
    let mut planned: BTreeMap<Origin, Vec<Message>> = BTreeMap::new();
    for due in silent {
        if let Some((agent, message)) = known.message(tenant, due) {
            let (campaign, campaign_name) = (due.campaign.clone(), due.campaign_name.clone());
            let (run, block, rules) = (due.run, due.block, due.rules);
            let origin = Origin { campaign, campaign_name, run, block, agent, rules };
            planned.entry(origin).or_default().push(message);
        }
    }
    let mut drafted = 0;
    for (origin, mut messages) in planned {
        messages.sort_unstable_by_key(|message| message.send_key);
        drafted += queue_drafts(c, tenant, &origin, &messages).await?;
    }
    Ok(drafted)
}

/// What is known of the leads at this moment.
struct Known {
    leads: HashMap<LeadId, Lead>,
    contactable: HashSet<LeadId>,
    suppressed: HashSet<String>,
    earlier: HashMap<MessageId, Earlier>,
    past: HashMap<(String, LeadId), History>,
}

impl Known {
    async fn load(c: &mut PgConnection, tenant: TenantId, silent: &[&Due]) -> Result<Self, sqlx::Error> {
        let ids: Vec<LeadId> = silent.iter().map(|due| due.lead_id).collect();
        let messages: Vec<MessageId> = silent.iter().map(|due| due.message).collect();
        let earlier = sms_queue::earlier(c, tenant, &messages).await?;
        let numbers: Vec<&str> = earlier.values().map(|earlier| earlier.to.as_str()).collect();
        let mut campaigns: BTreeMap<&str, Vec<LeadId>> = BTreeMap::new();
        for due in silent {
            campaigns.entry(&due.campaign).or_default().push(due.lead_id);
        }
        let mut past = HashMap::new();
        for (campaign, leads) in campaigns {
            // Of no run: every attempt of the campaign counts.
            let found = attempts::past(c, tenant, campaign, RunId::generate(), &leads).await?;
            let texts = found.into_iter().filter(|((_, channel), _)| *channel == Channel::Sms);
            past.extend(texts.map(|((lead, _), past)| ((campaign.to_owned(), lead), past.history)));
        }
        Ok(Self {
            contactable: leads::contactable(c, tenant, &ids).await?,
            suppressed: suppressions::among(c, tenant, &numbers, &[]).await?,
            leads: leads::load(c, tenant, &ids).await?,
            earlier,
            past,
        })
    }

    /// The next attempt at a lead and in whose name; none where the lead is left alone.
    fn message(&self, tenant: TenantId, due: &Due) -> Option<(&'static str, Message)> {
        let (lead, earlier) = (self.leads.get(&due.lead_id)?, self.earlier.get(&due.message)?);
        if !self.contactable.contains(&due.lead_id) || self.suppressed.contains(&earlier.to) {
            return None;
        }
        let history = *self.past.get(&(due.campaign.clone(), due.lead_id))?;
        let number = retarget::next(history, due.rules, due.now).ok()?;
        let text = opener::choose(Context::Retarget, Category::General, history.retargets + 1, due.run, due.lead_id);
        let body = message::render(text.body, lead);
        let message = Message {
            id: MessageId::generate(),
            send_key: channel::send_key(tenant, Channel::Sms, due.lead_id, &due.campaign, number),
            lead_id: due.lead_id,
            to: earlier.to.clone(),
            segments: segments::count(&body),
            body,
            priority: earlier.priority,
            attempt_number: number,
            template: Some(text.name.to_owned()),
            template_version: None,
            time_zone: lead.state().and_then(zone::of_state),
        };
        Some((if earlier.agent == "sabrina" { "sabrina" } else { "gianna" }, message))
    }
}

/// How many were queued: what a run queued under the same number meanwhile is not queued again.
async fn queue_drafts(
    c: &mut PgConnection,
    tenant: TenantId,
    origin: &Origin,
    messages: &[Message],
) -> Result<usize, sqlx::Error> {
    let queuing = Queuing {
        run: origin.run,
        block: origin.block,
        campaign: &origin.campaign,
        context: Context::Retarget,
        mode: Mode::Draft,
        agent: origin.agent,
        media_url: None,
    };
    let held = sms_queue::queue(c, tenant, &queuing, messages).await?;
    let attempt = |message: &Message| Attempt {
        lead_id: message.lead_id,
        queue_id: message.id.to_string(),
        channel: Channel::Sms,
        number: message.attempt_number,
        approval_required: true,
        auto_retarget: true,
        rules: origin.rules,
        template: message.template.clone(),
        template_version: None,
        segments: Some(message.segments),
    };
    let drafts: Vec<Attempt> =
        messages.iter().filter(|message| held.contains(&message.send_key)).map(attempt).collect();
    attempts::record(c, tenant, &queuing, origin.campaign_name.as_deref(), &drafts).await?;
    Ok(drafts.len())
}
