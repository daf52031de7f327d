//! PUSH: puts leads into the queues of text messages and calls, each at most once a campaign, whatever crashes.

use std::collections::{BTreeSet, HashSet};

use futures::{FutureExt, future::BoxFuture};
use luci_schema::{AttemptId, CallId, LeadId, MessageId, Stage, event::BlockReport};
use serde::Deserialize;
use sqlx::PgConnection;
use ulid::Ulid;

use super::outcome::{self, Outcome, database_failed};
use crate::{
    block::{BlockFault, BlockKind, Progress, Task, Tools},
    book::{
        self,
        attempts::Attempt,
        dialer_queue::Call,
        sms_queue::{Message, Mode},
    },
    lead::{
        Lead,
        channel::{self, Channel},
        message,
        title::Seniority,
    },
};

pub(super) struct Push;

/// The stage's settings in the blueprint.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Config {
    channels: BTreeSet<Channel>,
    /// `draft`: a person approves each message; `immediate`: the sender takes it as soon as its window opens.
    mode: Mode,
    /// Text with variables; a plain question where the blueprint has none.
    template: String,
    /// Whether text messages may go to VoIP numbers.
    allow_voip: bool,
}

impl Default for Config {
    fn default() -> Self {
        let channels = BTreeSet::from([Channel::Sms, Channel::Call]);
        Self { channels, mode: Mode::Draft, template: message::DEFAULT_TEMPLATE.into(), allow_voip: false }
    }
}

impl BlockKind for Push {
    fn stage(&self) -> Stage {
        Stage::Push
    }

    fn provider(&self, task: &Task) -> String {
        let channels = outcome::config::<Config>(task).unwrap_or_default().channels;
        match (channels.contains(&Channel::Sms), channels.contains(&Channel::Call)) {
            (true, false) => "sms_queue",
            (false, true) => "dialer_queue",
            (true, true) | (false, false) => "queues",
        }
        .into()
    }

    fn outside(&self) -> bool {
        false
    }

    fn run<'a>(
        &'a self,
        task: &'a Task,
        tools: &'a Tools,
        _: &'a Progress,
    ) -> BoxFuture<'a, Result<BlockReport, BlockFault>> {
        push(task, tools).boxed()
    }
}

/// What a lead could be reached by.
struct Plan {
    message: Option<Message>,
    call: Option<Call>,
    /// Whether a number was left out because it is suppressed.
    suppressed: bool,
}

async fn push(task: &Task, tools: &Tools) -> Result<BlockReport, BlockFault> {
    let config: Config = outcome::config(task)?;
    let mut outcome = Outcome::new(task, tools);
    // Queues and attempts are written in one transaction: there is no lead in hand to finish.
    if task.stop.is_cancelled() {
        return outcome.finish().await;
    }
    let leads = outcome::leads(task, tools).await?;
    let mut tx = tools.pool.begin().await.map_err(database_failed)?;
    let plans = plan(&mut tx, task, &config, &leads).await.map_err(database_failed)?;
    let queued = queue(&mut tx, task, &config, &plans).await.map_err(database_failed)?;
    tx.commit().await.map_err(database_failed)?;
    for (lead, plan) in leads.iter().zip(&plans) {
        let keys = [plan.message.as_ref().map(|m| m.send_key), plan.call.as_ref().map(|call| call.send_key)];
        let mut wanted = keys.into_iter().flatten().peekable();
        if wanted.peek().is_none() {
            let reason = if plan.suppressed { "suppressed" } else { "no_phone" };
            outcome.skipped(lead, Some(reason)).await?;
        } else if wanted.any(|key| queued.contains(&key)) {
            outcome.success(lead).await?;
        } else {
            outcome.skipped(lead, Some("already_queued")).await?;
        }
    }
    outcome.finish().await
}

async fn plan(c: &mut PgConnection, task: &Task, config: &Config, leads: &[Lead]) -> Result<Vec<Plan>, sqlx::Error> {
    let ids: Vec<_> = leads.iter().map(|lead| lead.lead_id).collect();
    let phones: Vec<&str> = leads.iter().flat_map(|lead| lead.phones.iter().map(|p| p.number.as_str())).collect();
    let dnc = book::leads::dnc(c, task.tenant, &ids).await?;
    let suppressed = book::suppressions::among(c, task.tenant, &phones, &[]).await?;
    let one = |lead: &Lead| {
        let allowed = |number: &&str| !suppressed.contains(*number) && !dnc.contains(&lead.lead_id);
        let texts = config.channels.contains(&Channel::Sms);
        let calls = config.channels.contains(&Channel::Call);
        let to_text = || channel::text_numbers(lead, config.allow_voip).filter(|_| texts);
        let to_call = || channel::call_numbers(lead).filter(|_| calls);
        Plan {
            message: to_text().find(allowed).map(|to| message_to(task, config, lead, to)),
            call: to_call().find(allowed).map(|phone| call_to(task, lead, phone)),
            suppressed: to_text().chain(to_call()).any(|number| !allowed(&number)),
        }
    };
    Ok(leads.iter().map(one).collect())
}

/// The first attempt of the campaign, which is the lineage's first run.
const CAMPAIGN_ATTEMPT: u32 = 1;

fn send_key(task: &Task, channel: Channel, lead: &Lead) -> [u8; 32] {
    channel::send_key(task.tenant, channel, lead.lead_id, &task.run.root_run_id.to_string(), CAMPAIGN_ATTEMPT)
}

/// The same send has the same ids however often it is tried: time bits of the campaign, the lead's row, the rest of the send
/// key. With the row in front, a campaign's sends go to the end of each index.
fn ulid_of(task: &Task, lead: LeadId, send_key: &[u8; 32]) -> Ulid {
    let mut low = [0; 16];
    low[10..].copy_from_slice(&send_key[..6]);
    let row = (lead.ulid().0 >> 48 & 0xffff_ffff) << 48;
    Ulid(u128::from(task.run.root_run_id.ulid().timestamp_ms()) << 80 | row | u128::from_be_bytes(low))
}

fn message_to(task: &Task, config: &Config, lead: &Lead, to: &str) -> Message {
    let send_key = send_key(task, Channel::Sms, lead);
    Message {
        id: MessageId::from_ulid(ulid_of(task, lead.lead_id, &send_key)),
        send_key,
        lead_id: lead.lead_id,
        to: to.to_owned(),
        body: message::render(&config.template, lead),
        priority: priority(lead),
    }
}

fn call_to(task: &Task, lead: &Lead, phone: &str) -> Call {
    let send_key = send_key(task, Channel::Call, lead);
    Call {
        id: CallId::from_ulid(ulid_of(task, lead.lead_id, &send_key)),
        send_key,
        lead_id: lead.lead_id,
        phone: phone.to_owned(),
        contact_name: lead.who.contact_name.clone(),
        company_name: lead.firm.company_name.clone(),
        priority: priority(lead),
    }
}

/// 5, and 2 more for those who can decide.
fn priority(lead: &Lead) -> i16 {
    if lead.who.seniority.is_some_and(Seniority::decides) { 7 } else { 5 }
}

/// Queues what is not queued yet, each with its row in the attempt log, and answers the send keys that this block holds.
async fn queue(
    c: &mut PgConnection,
    task: &Task,
    config: &Config,
    plans: &[Plan],
) -> Result<HashSet<[u8; 32]>, sqlx::Error> {
    let (tenant, by) = (task.tenant, (task.run_id, task.block.block_id));
    let campaign = task.run.root_run_id.to_string();
    let mut messages: Vec<Message> = plans.iter().filter_map(|plan| plan.message.clone()).collect();
    let mut calls: Vec<Call> = plans.iter().filter_map(|plan| plan.call.clone()).collect();
    // One order for all blocks: two that queue the same leads wait for each other instead of for ever.
    messages.sort_unstable_by_key(|message| message.send_key);
    calls.sort_unstable_by_key(|call| call.send_key);
    let mut held = book::sms_queue::queue(c, tenant, by, &campaign, config.mode, &messages).await?;
    held.extend(book::dialer_queue::queue(c, tenant, by, &campaign, &calls).await?);
    let texts = messages.iter().map(|m| (m.send_key, m.lead_id, m.id.to_string(), Channel::Sms));
    let calls = calls.iter().map(|call| (call.send_key, call.lead_id, call.id.to_string(), Channel::Call));
    let attempts: Vec<Attempt> = texts
        .chain(calls)
        .filter(|(key, ..)| held.contains(key))
        .map(|(key, lead_id, queue_id, channel)| Attempt {
            id: AttemptId::from_ulid(ulid_of(task, lead_id, &key)),
            lead_id,
            queue_id,
            channel,
            approval_required: channel == Channel::Sms && config.mode == Mode::Draft,
        })
        .collect();
    book::attempts::record(c, tenant, by, &campaign, &attempts).await?;
    Ok(held)
}
