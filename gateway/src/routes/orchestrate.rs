//! POST /api/luci/orchestrate: what the old orchestrator did batch by batch, as one run each: `enrich` over a bucket's leads,
//! then `push` of the leads that came of it.

use std::sync::Arc;

use luci_engine::{
    admin::prices,
    blocks,
    book::sectors,
    start::{self as engine, Source, StartedBy, Wanted},
};
use luci_schema::{
    RunId, Stage,
    event::{RunInput, RunOptions, RunQueued, StageSpec, TriggerType},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, start};
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    idempotency::{self, Begun},
    problem::Problem,
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
    /// A sector by its id, its slug, or the id that its bucket had.
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
    /// The run that enriched the leads.
    lead_block_id: RunId,
    #[serde(default)]
    push_to: To,
    mode: Option<Value>,
    template_message: Option<String>,
    template_category: Option<Value>,
    agent: Option<Value>,
    campaign_name: Option<String>,
    campaign_context: Option<Value>,
    attempt_info: Option<Attempt>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum To {
    Sms,
    Dialer,
    #[default]
    Both,
}

/// What LUCI knows better from its own attempt log is read and not believed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attempt {
    attempt_number: Option<u32>,
    auto_retarget: Option<bool>,
}

pub async fn post(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json::<Body>().await?;
    let begun = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(begun) => begun,
    };
    let run = RunId::generate();
    let queued = match body {
        Body::Enrich(enrich) => enrich.queued(&app, &caller, run).await?,
        Body::Push(push) => push.queued(&app, &caller).await?,
    };
    start::queue(&app, &caller, &ask, begun, digest, run, queued).await
}

impl Enrich {
    /// The system blueprint's stages as far as they are wanted; nothing is pushed.
    async fn queued(self, app: &App, caller: &Caller, run: RunId) -> Result<RunQueued, Problem> {
        if self.enrichment_types.is_empty() {
            return Err(Problem::invalid("enrichmentTypes", "skip_trace, apollo or both"));
        }
        let mut c = app.engine_pool.acquire().await?;
        let sector = sectors::of_bucket(&mut c, caller.tenant, &self.bucket_id).await?;
        let sector = sector.ok_or_else(|| Problem::invalid("bucketId", "there is no such sector or bucket"))?;
        let usual = RunOptions::default();
        let wanted = Wanted {
            source: Source::Sector(sector.id.to_string()),
            blueprint: None,
            pipeline_name: Some("luci_enrich".into()),
            options: RunOptions { max_leads: self.max_leads.unwrap_or(usual.max_leads), ..usual },
            budget_micros: None,
        };
        let by = StartedBy { actor: caller.author(), trigger: TriggerType::Manual };
        let mut queued = engine::queued(&mut c, caller.tenant, &wanted, run, by).await?;
        let asked = |stage| match stage {
            Stage::Enrich => self.enrichment_types.contains(&Enrichment::Apollo),
            Stage::SkipTrace => self.enrichment_types.contains(&Enrichment::SkipTrace),
            Stage::Push => false,
            Stage::Import | Stage::Validate | Stage::Score | Stage::Assign => true,
        };
        queued.stages.retain(|spec| asked(spec.stage));
        queued.prices = prices::pin(&mut c, &queued.stages).await?;
        Ok(queued)
    }
}

impl Push {
    /// A run of the lineage that reads what the last stage put out, and pushes it.
    async fn queued(self, app: &App, caller: &Caller) -> Result<RunQueued, Problem> {
        let old = self.lead_block_id;
        let parent = start::parent(app, caller, old).await?;
        let mut queued = start::again(app, &parent, caller).await?;
        let before = queued.stages.iter().map(|spec| spec.stage).rfind(|stage| *stage != Stage::Push);
        let before = before.unwrap_or(Stage::Import);
        queued.total_leads = start::put_out(&parent, before);
        if queued.total_leads == 0 {
            return Err(Problem::invalid("leadBlockId", "the run put out no leads"));
        }
        let config = self.config(queued.sector_name.as_deref(), old);
        blocks::check_config(Stage::Push, &config).map_err(|bad| Problem::invalid(name(&bad.field), bad.expected))?;
        queued.input = RunInput::Artifacts { run_id: old, stage: before };
        queued.stages.truncate(1);
        queued.stages.push(StageSpec { name: Stage::Push.to_string(), stage: Stage::Push, config });
        queued.pipeline_name = "luci_push".into();
        queued.parent_run_id = Some(old);
        queued.prices = prices::pin(&mut *app.engine_pool.acquire().await?, &queued.stages).await?;
        Ok(queued)
    }

    /// In the words of PUSH.
    fn config(self, bucket: Option<&str>, old: RunId) -> Value {
        let channels = match self.push_to {
            To::Sms => json!(["sms"]),
            To::Dialer => json!(["call"]),
            To::Both => json!(["sms", "call"]),
        };
        let name = self.campaign_name.unwrap_or_else(|| format!("LUCI-{}", bucket.unwrap_or(&old.to_string())));
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

/// A setting of PUSH by the name that it has here.
fn name(field: &str) -> &str {
    match field {
        "template" => "templateMessage",
        "context" => "campaignContext",
        "attemptNumber" => "attemptInfo.attemptNumber",
        other => other,
    }
}
