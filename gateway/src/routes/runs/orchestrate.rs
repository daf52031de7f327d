//! `POST /api/luci/orchestrate`: the API of the old orchestrator: `enrich` starts a run on a bucket, `push` a run on its output.

use std::sync::Arc;

use luci_config::Right;
use luci_leads::store::sectors;
use luci_schema::{
    RunId, Stage,
    event::{RunInput, RunOptions, RunQueued, StageSpec, TriggerType},
};
use luci_stages::{
    start as engine,
    start::{LeadSource, StartRequest, StartedBy},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    App,
    caller::Caller,
    idempotency,
    problem::Problem,
    request::Request,
    routes::{
        HandlerResult,
        runs::{earlier_run, queue::queue},
    },
};

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum Body {
    Enrich(Enrich),
    Push(Box<Push>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Enrich {
    /// A sector: its id, its slug, or the id of its old bucket.
    bucket_id: String,
    #[serde(default = "skip_trace")]
    enrichment_types: Vec<Enrichment>,
    max_leads: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Enrichment {
    SkipTrace,
    Apollo,
}

fn skip_trace() -> Vec<Enrichment> {
    vec![Enrichment::SkipTrace]
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Push {
    /// The run whose output is pushed.
    lead_block_id: RunId,
    #[serde(default)]
    push_to: Targets,
    mode: Option<Value>,
    template_message: Option<String>,
    template_category: Option<Value>,
    agent: Option<Value>,
    campaign_name: Option<String>,
    campaign_context: Option<Value>,
    attempt_info: Option<AttemptOptions>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Targets {
    Sms,
    Dialer,
    #[default]
    Both,
}

/// Other fields are accepted and ignored: LUCI has its own attempt log.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttemptOptions {
    attempt_number: Option<u32>,
    auto_retarget: Option<bool>,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<Body>().await?;
    if matches!(&body, Body::Push(push) if push.is_immediate()) {
        // To send without approval is to approve.
        caller.authorize(Right::Administer, "luci")?;
    }
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let run = RunId::generate();
    let queued = match body {
        Body::Enrich(enrich) => enrich.queued(&app, &caller, run).await?,
        Body::Push(push) => push.queued(&app, &caller).await?,
    };
    queue(&app, &caller, &request, command, digest, run, queued).await
}

impl Enrich {
    /// The stages of the system blueprint with the requested enrichments and without PUSH.
    async fn queued(self, app: &App, caller: &Caller, run: RunId) -> Result<RunQueued, Problem> {
        if self.enrichment_types.is_empty() {
            return Err(Problem::invalid("enrichmentTypes", "skip_trace, apollo or both"));
        }
        let mut c = app.engine_pool.acquire().await?;
        let sector = sectors::of_bucket(&mut c, caller.tenant, &self.bucket_id).await?;
        let sector = sector.ok_or_else(|| Problem::invalid("bucketId", "unknown sector or bucket"))?;
        let default = RunOptions::default();
        let start = StartRequest {
            source: LeadSource::Sector(sector.id.to_string()),
            blueprint: None,
            pipeline_name: Some("luci_enrich".into()),
            options: RunOptions { max_leads: self.max_leads.unwrap_or(default.max_leads), ..default },
            budget_micros: None,
        };
        let by = StartedBy { actor: caller.author(), trigger: TriggerType::Manual };
        let mut queued = engine::queued(&mut c, caller.tenant, &start, run, by).await?;
        let requested = |enrichment| self.enrichment_types.contains(&enrichment);
        queued.stages.retain(|spec| {
            spec.stage != Stage::Push
                && (spec.stage != Stage::Enrich || requested(Enrichment::Apollo))
                && (spec.stage != Stage::SkipTrace || requested(Enrichment::SkipTrace))
        });
        queued.prices = luci_stages::start::pin_prices(&mut c, &queued.stages).await?;
        Ok(queued)
    }
}

impl Push {
    fn is_immediate(&self) -> bool {
        self.mode.as_ref().is_some_and(|mode| mode == "immediate")
    }

    /// A run of the same lineage that pushes the output of the last stage.
    async fn queued(self, app: &App, caller: &Caller) -> Result<RunQueued, Problem> {
        let parent_id = self.lead_block_id;
        let parent = earlier_run::load_ended(app, caller, parent_id).await?;
        let mut queued = earlier_run::requeued(app, &parent, caller).await?;
        let before = queued.stages.iter().map(|spec| spec.stage).rfind(|stage| *stage != Stage::Push);
        let before = before.unwrap_or(Stage::Import);
        queued.total_leads = earlier_run::output_leads(&parent, before);
        if queued.total_leads == 0 {
            return Err(Problem::invalid("leadBlockId", "the run has no output"));
        }
        let config = self.config(queued.sector_name.as_deref(), parent_id);
        luci_stages::check(Stage::Push, &config)
            .map_err(|bad| Problem::invalid(body_field(&bad.field), bad.expected))?;
        queued.input = RunInput::Artifacts { run_id: parent_id, stage: before };
        earlier_run::check_input(app, caller, &queued).await?;
        queued.stages.truncate(1);
        queued.stages.push(StageSpec { name: Stage::Push.to_string(), stage: Stage::Push, config });
        queued.pipeline_name = "luci_push".into();
        queued.parent_run_id = Some(parent_id);
        queued.prices = luci_stages::start::pin_prices(&mut *app.engine_pool.acquire().await?, &queued.stages).await?;
        Ok(queued)
    }

    /// The configuration of PUSH.
    fn config(self, bucket: Option<&str>, parent_id: RunId) -> Value {
        let channels = match self.push_to {
            Targets::Sms => json!(["sms"]),
            Targets::Dialer => json!(["call"]),
            Targets::Both => json!(["sms", "call"]),
        };
        let name = self.campaign_name.unwrap_or_else(|| format!("LUCI-{}", bucket.unwrap_or(&parent_id.to_string())));
        let mut config = json!({"channels": channels, "campaignName": name});
        let attempt = self.attempt_info;
        let number = attempt.as_ref().and_then(|attempt| attempt.attempt_number);
        let retarget = attempt.as_ref().and_then(|attempt| attempt.auto_retarget);
        for (name, value) in [
            ("mode", self.mode),
            ("template", self.template_message.map(Value::from)),
            ("templateCategory", self.template_category),
            ("agent", self.agent),
            ("context", self.campaign_context),
            ("attemptNumber", number.map(Value::from)),
            ("autoRetarget", retarget.map(Value::from)),
        ] {
            if let Some(value) = value {
                config[name] = value;
            }
        }
        config
    }
}

/// The field of the body that sets a field of the configuration of PUSH.
fn body_field(field: &str) -> &str {
    match field {
        "template" => "templateMessage",
        "context" => "campaignContext",
        "attemptNumber" => "attemptInfo.attemptNumber",
        other => other,
    }
}
