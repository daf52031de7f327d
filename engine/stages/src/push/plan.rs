//! What PUSH does with each lead of a block: which number gets which text or call, as which attempt.

use std::collections::{HashMap, HashSet};

use luci_config::vault::Vault;
use luci_leads::{
    Lead,
    lead::seniority::Seniority,
    normalise::phone::{self, Country},
    store,
};
use luci_messaging::{
    rules::{
        channel::{self, Channel},
        context::CampaignContext,
        message, opener,
        retarget::{self, RetargetSkip},
        segments, zones,
    },
    store::{
        attempts::LeadHistory,
        dialer_queue::NewCall,
        send_countries,
        send_settings::{self, FrequencyLimits},
        sms_queue::{
            NewMessage,
            frequency::{self, Recent},
        },
    },
};
use luci_runs::block::Task;
use luci_schema::{CallId, LeadId, MessageId, Micros, TemplateId};
use sqlx::PgConnection;
use ulid::Ulid;

use crate::push::config::Config;

/// The message and the call of one lead.
pub(super) struct Plan {
    pub message: Option<NewMessage>,
    pub call: Option<NewCall>,
    /// A number was left out because it is suppressed.
    suppressed: bool,
    /// The number was written to too often recently.
    frequent: bool,
    /// A number was left out because the tenant does not contact its country.
    abroad: bool,
    /// Why the lead is not retargeted.
    kept: Option<RetargetSkip>,
}

impl Plan {
    pub fn send_keys(&self) -> impl Iterator<Item = [u8; 32]> {
        [self.message.as_ref().map(|m| m.send_key), self.call.as_ref().map(|call| call.send_key)].into_iter().flatten()
    }

    /// The reason when there is nothing to send.
    pub fn skip_reason(&self) -> &'static str {
        match self.kept {
            _ if self.suppressed => "suppressed",
            _ if self.frequent => "frequency",
            Some(kept) => kept.as_str(),
            None if self.abroad => "country_not_allowed",
            None => "no_phone",
        }
    }
}

/// Where the text comes from.
pub(super) enum TextSource {
    /// Of the blueprint.
    Own(String),
    Template {
        id: TemplateId,
        version: u32,
        body: String,
    },
    BuiltIn,
}

/// The campaign's id: the blueprint's own, else the first run of the lineage.
pub(super) fn campaign(task: &Task, config: &Config) -> String {
    config.campaign_id.clone().unwrap_or_else(|| task.run.root_run_id.to_string())
}

/// The id of a send, the same at each try: time bits of the campaign, then the lead's row, then bits of the send key. With the
/// row in front, a campaign's sends are inserted at the end of each index.
fn ulid_of(task: &Task, lead: LeadId, send_key: &[u8; 32]) -> Ulid {
    let mut low = [0; 16];
    low[10..].copy_from_slice(&send_key[..6]);
    let row = (lead.ulid().0 >> 48 & 0xffff_ffff) << 48;
    Ulid(u128::from(task.run.root_run_id.ulid().timestamp_ms()) << 80 | row | u128::from_be_bytes(low))
}

pub(super) async fn make(
    c: &mut PgConnection,
    (task, vault): (&Task, &Vault),
    config: &Config,
    texts: &TextSource,
    leads: &[Lead],
) -> Result<Vec<Plan>, sqlx::Error> {
    let ids: Vec<LeadId> = leads.iter().map(|lead| lead.lead_id).collect();
    let phones: Vec<&str> = leads.iter().flat_map(|lead| lead.phones.iter().map(|p| p.number.as_str())).collect();
    let campaign = campaign(task, config);
    let planner = Planner {
        task,
        config,
        texts,
        contactable: store::leads::contactable(c, task.tenant, &ids).await?,
        suppressed: store::suppressions::among(c, task.tenant, vault, &phones, &[]).await?,
        recent: frequency::queued_and_sent(c, task.tenant, &phones, (task.block.block_id, &campaign)).await?,
        limits: send_settings::frequency_limits(c, task.tenant).await?,
        countries: send_countries::allowed(c, task.tenant).await?,
        past: match config.context {
            CampaignContext::Retarget => {
                luci_messaging::store::attempts::history(c, task.tenant, &campaign, task.run_id, &ids).await?
            }
            _ => HashMap::new(),
        },
        campaign,
        now: Micros::now(),
    };
    Ok(leads.iter().map(|lead| planner.plan(lead)).collect())
}

struct Planner<'a> {
    task: &'a Task,
    config: &'a Config,
    texts: &'a TextSource,
    campaign: String,
    contactable: HashSet<LeadId>,
    suppressed: HashSet<String>,
    /// By number.
    recent: HashMap<String, Recent>,
    limits: FrequencyLimits,
    countries: Vec<Country>,
    past: HashMap<(LeadId, Channel), LeadHistory>,
    now: Micros,
}

/// Which attempt of the campaign a send is, and which retarget (0 for none).
#[derive(Clone, Copy)]
struct Number {
    attempt: u32,
    retarget: u32,
}

impl Planner<'_> {
    fn plan(&self, lead: &Lead) -> Plan {
        let free = |number: &&str| !self.suppressed.contains(*number) && self.contactable.contains(&lead.lead_id);
        let at_home = |number: &&str| phone::country(number).is_some_and(|country| self.countries.contains(&country));
        let allowed = |number: &&str| free(number) && at_home(number);
        let wanted = |channel| self.config.channels.contains(&channel);
        let to_text = || channel::text_numbers(lead, self.config.allow_voip).filter(|_| wanted(Channel::Sms));
        let to_call = || channel::call_numbers(lead).filter(|_| wanted(Channel::Call));
        let (text, call) = (self.number(lead, Channel::Sms), self.number(lead, Channel::Call));
        let kept = [(Channel::Sms, text), (Channel::Call, call)];
        let kept = kept.into_iter().filter(|(channel, _)| wanted(*channel)).find_map(|(_, number)| number.err());
        let message = text.ok().and_then(|number| Some((to_text().find(allowed)?, number)));
        let frequent = message.is_some_and(|(to, number)| self.is_frequent(to, number));
        Plan {
            message: message.filter(|_| !frequent).map(|(to, number)| self.message(lead, to, number)),
            call: call.ok().and_then(|number| Some(self.call(lead, to_call().find(allowed)?, number))),
            suppressed: to_text().chain(to_call()).any(|number| !free(&number)),
            frequent,
            abroad: to_text().chain(to_call()).any(|number| !at_home(&number)),
            kept,
        }
    }

    fn is_frequent(&self, to: &str, number: Number) -> bool {
        self.recent.get(to).is_some_and(|recent| recent.forbids(number.attempt, self.limits))
    }

    /// A repeated block gets the number that it got the first time.
    fn number(&self, lead: &Lead, channel: Channel) -> Result<Number, RetargetSkip> {
        if self.config.context != CampaignContext::Retarget {
            return Ok(Number { attempt: self.config.attempt_number, retarget: 0 });
        }
        let past = self.past.get(&(lead.lead_id, channel)).copied().unwrap_or_default();
        let retarget = past.history.retargets + 1;
        match past.own_number {
            Some(attempt) => Ok(Number { attempt, retarget }),
            None => retarget::next_attempt(past.history, self.config.retarget, self.now)
                .map(|attempt| Number { attempt, retarget }),
        }
    }

    fn send_key(&self, to: &str, channel: Channel, number: Number) -> [u8; 32] {
        channel::send_key(self.task.tenant, channel, to, &self.campaign, number.attempt)
    }

    fn message(&self, lead: &Lead, to: &str, number: Number) -> NewMessage {
        let send_key = self.send_key(to, Channel::Sms, number);
        let (template, template_version, text) = self.text(lead, number);
        let body = message::render(text, lead);
        NewMessage {
            id: MessageId::from_ulid(ulid_of(self.task, lead.lead_id, &send_key)),
            send_key,
            lead_id: lead.lead_id,
            to: to.to_owned(),
            segments: segments::count(&body),
            body,
            priority: priority(lead),
            attempt_number: number.attempt,
            template,
            template_version,
            time_zones: zones::of_lead(to, lead),
        }
    }

    fn text(&self, lead: &Lead, number: Number) -> (Option<String>, Option<u32>, &str) {
        match self.texts {
            TextSource::Own(text) => (None, None, text),
            TextSource::Template { id, version, body } => (Some(id.to_string()), Some(*version), body),
            TextSource::BuiltIn => {
                let (context, category) = (self.config.context, self.config.template_category);
                // By the lineage's first run, so that a replay chooses the same text.
                let run = self.task.run.root_run_id;
                let text = opener::choose(context, category, number.retarget, run, lead.lead_id);
                (Some(text.name.to_owned()), None, text.body)
            }
        }
    }

    fn call(&self, lead: &Lead, phone: &str, number: Number) -> NewCall {
        let send_key = self.send_key(phone, Channel::Call, number);
        NewCall {
            id: CallId::from_ulid(ulid_of(self.task, lead.lead_id, &send_key)),
            send_key,
            lead_id: lead.lead_id,
            phone: phone.to_owned(),
            extension: lead.phones.iter().find(|one| one.number == phone).and_then(|one| one.extension.clone()),
            contact_name: lead.who.contact_name.clone(),
            company_name: lead.firm.company_name.clone(),
            priority: priority(lead),
            attempt_number: number.attempt,
            time_zones: zones::of_lead(phone, lead),
        }
    }
}

/// 5, or 7 for decision makers.
fn priority(lead: &Lead) -> i16 {
    if lead.who.seniority.is_some_and(Seniority::decides) { 7 } else { 5 }
}
