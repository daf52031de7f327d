//! PUSH: puts leads into the queues of text messages and calls, each at most once a campaign, whatever crashes.

use std::collections::HashSet;

use futures::{FutureExt, future::BoxFuture};
use luci_schema::{FailureCode, Stage, event::BlockReport};
use sqlx::PgConnection;

use super::{
    outcome::{self, Outcome, database_failed},
    push_config::Config,
    push_plan::{self, Plan, Words},
};
use crate::{
    admin::{AdminError, templates},
    block::{BlockFault, BlockKind, Progress, Task, Tools},
    book::{
        self,
        attempts::Attempt,
        sms_queue::{Mode, Queuing},
    },
    lead::channel::Channel,
};

pub(super) struct Push;

impl BlockKind for Push {
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

    fn outside(&self) -> bool {
        false
    }

    fn check(&self, config: &serde_json::Value) -> Result<(), String> {
        outcome::settings::<Config>(config).map(drop)
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
    let config = Config::read(&task.spec.config).map_err(|bad| {
        BlockFault::new(FailureCode::Validation, format!("the settings of stage {}: {bad}", task.spec.name))
    })?;
    let mut outcome = Outcome::new(task, tools);
    // Queues and attempts are written in one transaction: there is no lead in hand to finish.
    if task.stop.is_cancelled() {
        return outcome.finish().await;
    }
    let leads = outcome::leads(task, tools).await?;
    let mut tx = tools.pool.begin().await.map_err(database_failed)?;
    let words = words(&mut tx, task, tools, &config).await?;
    let plans = push_plan::make(&mut tx, task, &config, &words, &leads).await.map_err(database_failed)?;
    let queued = queue(&mut tx, task, &config, &plans).await.map_err(database_failed)?;
    tx.commit().await.map_err(database_failed)?;
    for (lead, plan) in leads.iter().zip(&plans) {
        let mut wanted = plan.send_keys().peekable();
        if wanted.peek().is_none() {
            outcome.skipped(lead, Some(plan.why_not())).await?;
        } else if wanted.any(|key| queued.contains(&key)) {
            outcome.success(lead).await?;
        } else {
            outcome.skipped(lead, Some("already_queued")).await?;
        }
    }
    outcome.finish().await
}

/// The tenant's template is read once a block.
async fn words(c: &mut PgConnection, task: &Task, tools: &Tools, config: &Config) -> Result<Words, BlockFault> {
    if let Some(text) = &config.template {
        return Ok(Words::Own(text.clone()));
    }
    let Some(id) = config.template_id else { return Ok(Words::BuiltIn) };
    match templates::text(c, &tools.storage, task.tenant, id).await {
        Ok(text) => Ok(Words::Template { id, version: text.version, body: text.body }),
        Err(AdminError::Database(error)) => Err(database_failed(error)),
        Err(error @ AdminError::Storage(_)) => Err(outcome::again("the template could not be read", &error)),
        Err(_) => {
            let said = format!("the settings of stage {}: templateId: expected a template that exists", task.spec.name);
            Err(BlockFault::new(FailureCode::Validation, said))
        }
    }
}

/// Queues what is not queued yet, each with its row in the attempt log, and answers the send keys that this block holds.
async fn queue(
    c: &mut PgConnection,
    task: &Task,
    config: &Config,
    plans: &[Plan],
) -> Result<HashSet<[u8; 32]>, sqlx::Error> {
    let mut messages: Vec<_> = plans.iter().filter_map(|plan| plan.message.clone()).collect();
    let mut calls: Vec<_> = plans.iter().filter_map(|plan| plan.call.clone()).collect();
    // One order for all blocks: two that queue the same leads wait for each other instead of for ever.
    messages.sort_unstable_by_key(|message| message.send_key);
    calls.sort_unstable_by_key(|call| call.send_key);
    let campaign = push_plan::campaign(task, config);
    let queuing = Queuing {
        run: task.run_id,
        block: task.block.block_id,
        campaign: &campaign,
        context: config.context,
        mode: config.mode(),
        agent: config.agent.as_str(),
        media_url: config.media_url.as_deref(),
    };
    let mut held = book::sms_queue::queue(c, task.tenant, &queuing, &messages).await?;
    held.extend(book::dialer_queue::queue(c, task.tenant, &queuing, &calls).await?);
    let mut attempts = attempts(config, plans);
    attempts.retain(|(key, _)| held.contains(key));
    let attempts: Vec<Attempt> = attempts.into_iter().map(|(_, attempt)| attempt).collect();
    book::attempts::record(c, task.tenant, &queuing, config.campaign_name.as_deref(), &attempts).await?;
    Ok(held)
}

fn attempts(config: &Config, plans: &[Plan]) -> Vec<([u8; 32], Attempt)> {
    let approval_required = config.mode() == Mode::Draft;
    let texts = plans.iter().filter_map(|plan| plan.message.as_ref()).map(|m| {
        let attempt = Attempt {
            lead_id: m.lead_id,
            queue_id: m.id.to_string(),
            channel: Channel::Sms,
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
        let attempt = Attempt {
            lead_id: call.lead_id,
            queue_id: call.id.to_string(),
            channel: Channel::Call,
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
