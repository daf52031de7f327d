//! PUSH: queues text messages and calls, each at most once per campaign, also after a crash.

mod config;
mod plan;

use std::collections::HashMap;

use futures::{FutureExt, future::BoxFuture};
use luci_config::AdminError;
use luci_messaging::{
    rules::channel::Channel,
    store::{
        attempts::NewAttempt,
        send_batch::{ApprovalMode, SendBatch, SendOwner},
        templates,
    },
};
use luci_runs::block::{BlockFault, Progress, Task};
use luci_schema::{FailureCode, Stage, event::BlockReport};
use sqlx::PgConnection;

use self::{
    config::Config,
    plan::{Plan, TextSource},
};
use crate::{
    kind::{StageKind, Tools},
    outcome::{self, Outcome, database_failed},
    settings::BadSetting,
};

pub(super) struct Push;

impl StageKind for Push {
    fn stage(&self) -> Stage {
        Stage::Push
    }

    fn provider(&self, task: &Task) -> String {
        let channels = Config::read(&task.spec.config).unwrap_or_default().channels;
        match (channels.contains(&Channel::Sms), channels.contains(&Channel::Call)) {
            (true, false) => "sms_queue",
            (false, true) => "dialer_queue",
            (true, true) | (false, false) => "queues",
        }
        .into()
    }

    fn check(&self, config: &serde_json::Value) -> Result<(), BadSetting> {
        Config::read(config).map(drop)
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

async fn push(task: &Task, tools: &Tools) -> Result<BlockReport, BlockFault> {
    let config = Config::read(&task.spec.config).map_err(|bad| outcome::bad_setting(task, &bad))?;
    let mut outcome = Outcome::new(task, tools);
    // Queues and attempts are written in one transaction: no lead is half done.
    if task.stop.is_cancelled() {
        return outcome.finish().await;
    }
    let leads = outcome::leads(task, tools).await?;
    let mut tx = tools.pool.begin().await.map_err(database_failed)?;
    let texts = text_source(&mut tx, task, tools, &config).await?;
    let plans =
        plan::make(&mut tx, (task, tools.providers.vault()), &config, &texts, &leads).await.map_err(database_failed)?;
    let queued = queue(&mut tx, task, &config, &plans).await.map_err(database_failed)?;
    tx.commit().await.map_err(database_failed)?;
    for (lead, plan) in leads.iter().zip(&plans) {
        let owners: Vec<&SendOwner> = plan.send_keys().filter_map(|key| queued.get(&key)).collect();
        match owners.first() {
            _ if owners.iter().any(|owner| owner.is(lead.lead_id)) => outcome.success(lead).await?,
            Some(first) => outcome.already_queued(lead, first.lead).await?,
            None => outcome.skipped(lead, Some(plan.skip_reason())).await?,
        }
    }
    outcome.finish().await
}

/// The text of the messages; a tenant's template is read once per block.
async fn text_source(
    c: &mut PgConnection,
    task: &Task,
    tools: &Tools,
    config: &Config,
) -> Result<TextSource, BlockFault> {
    if let Some(text) = &config.template {
        return Ok(TextSource::Own(text.clone()));
    }
    let Some(id) = config.template_id else { return Ok(TextSource::BuiltIn) };
    match templates::text(c, &tools.storage, task.tenant, id).await {
        Ok(text) => Ok(TextSource::Template { id, version: text.version, body: text.body }),
        Err(AdminError::Database(error)) => Err(database_failed(error)),
        Err(AdminError::Storage(error)) => Err(outcome::storage_failed(error)),
        // Its object has another text than the version that was published.
        Err(AdminError::Invalid { reason, .. }) => {
            let said = format!("template {id}: {reason}");
            Err(BlockFault::new(FailureCode::Integrity, said))
        }
        Err(_) => {
            let said = format!("settings of stage {}: templateId: expected an existing template", task.spec.name);
            Err(BlockFault::new(FailureCode::Validation, said))
        }
    }
}

/// Queues what is not queued yet, with a row each in the attempt log; returns whom each send key belongs to.
async fn queue(
    c: &mut PgConnection,
    task: &Task,
    config: &Config,
    plans: &[Plan],
) -> Result<HashMap<[u8; 32], SendOwner>, sqlx::Error> {
    let mut messages: Vec<_> = plans.iter().filter_map(|plan| plan.message.clone()).collect();
    let mut calls: Vec<_> = plans.iter().filter_map(|plan| plan.call.clone()).collect();
    // Sorted, so that two blocks with the same leads do not deadlock. Of two leads with one number the first row keeps its place.
    messages.sort_by_key(|message| message.send_key);
    calls.sort_by_key(|call| call.send_key);
    let campaign = plan::campaign(task, config);
    let queuing = SendBatch {
        run: task.run_id,
        block: task.block.block_id,
        campaign: &campaign,
        context: config.context,
        mode: config.mode(),
        agent: config.agent.as_str(),
        media_url: config.media_url.as_deref(),
    };
    let mut held = luci_messaging::store::sms_queue::queue(c, task.tenant, &queuing, &messages).await?;
    held.extend(luci_messaging::store::dialer_queue::queue(c, task.tenant, &queuing, &calls).await?);
    let mut attempts = attempts(config, plans);
    attempts.retain(|(key, attempt)| held.get(key).is_some_and(|owner| owner.is(attempt.lead_id)));
    let attempts: Vec<NewAttempt> = attempts.into_iter().map(|(_, attempt)| attempt).collect();
    luci_messaging::store::attempts::record(c, task.tenant, &queuing, config.campaign_name.as_deref(), &attempts)
        .await?;
    Ok(held)
}

fn attempts(config: &Config, plans: &[Plan]) -> Vec<([u8; 32], NewAttempt)> {
    let approval_required = config.mode() == ApprovalMode::Draft;
    let texts = plans.iter().filter_map(|plan| plan.message.as_ref()).map(|m| {
        let attempt = NewAttempt {
            lead_id: m.lead_id,
            send_id: m.id.into(),
            number: m.attempt_number,
            approval_required,
            auto_retarget: config.auto_retarget,
            rules: config.retarget,
            template: m.template.clone(),
            template_version: m.template_version,
            segments: Some(m.segments),
        };
        (m.send_key, attempt)
    });
    let calls = plans.iter().filter_map(|plan| plan.call.as_ref()).map(|call| {
        let attempt = NewAttempt {
            lead_id: call.lead_id,
            send_id: call.id.into(),
            number: call.attempt_number,
            approval_required: false,
            auto_retarget: config.auto_retarget,
            rules: config.retarget,
            template: None,
            template_version: None,
            segments: None,
        };
        (call.send_key, attempt)
    });
    texts.chain(calls).collect()
}
