//! `luci demo`: `luci up` with a demo tenant, sandbox providers, and a run on a sample import.

pub mod sample;

use std::{
    net::SocketAddr,
    num::NonZeroU64,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use luci_config::By;
use luci_leads::store::sectors::{self, Sector};
use luci_sandbox::{FaultSpec, Sandbox, Totals};
use luci_schema::{Micros, SectorId};
use luci_storage::Storage;
use serde_json::{Value, json};

use super::{
    Outcome,
    client::Api,
    import, out,
    run_options::Options,
    run_start,
    sandbox::SandboxServers,
    up::address,
    watch::{self, Detail, Show},
};
use crate::{config::Config, local::LocalInstance, process::telemetry};

/// The default data folder. Not that of `luci up`: a real instance must not reuse answers of the sandbox.
pub const DEMO_DIR: &str = ".luci-demo";
const TENANT: &str = "demo";

/// Slug, name and SIC code of sectors in New York that the sample has leads for.
const SECTORS: [(&str, &str, &str); 3] = [
    ("ny-construction-contractors-electrical", "Electricians, New York", "1731"),
    ("ny-construction-contractors-plumbing-hvac", "Plumbing and heating, New York", "1711"),
    ("ny-construction-contractors-roofing-siding", "Roofers, New York", "1761"),
];

#[derive(Debug, Args)]
pub struct Demo {
    /// Leads in the sample
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    leads: u64,
    /// Exit when the run has ended; exit code 1 unless it completed
    #[arg(long)]
    exit: bool,
    /// Print the summary of the run as JSON
    #[arg(long)]
    json: bool,
    /// Faults of the sandbox, for example `apollo:429=0.2,5xx=0.05`; `all:…` for every provider
    #[arg(long, value_name = "SPEC")]
    faults: Vec<FaultSpec>,
    /// Address of the gateway [env: LUCI_LISTEN] [default: 127.0.0.1:8080, or a free port when it is taken]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<SocketAddr>,
    /// Data folder [env: LUCI_DATA_DIR] [default: .luci-demo]
    // The global flag, of which this command must know whether it was given.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Demo {
    pub async fn run(self, mut config: Config) -> anyhow::Result<Outcome> {
        let _traces = telemetry::init_log(&config, "warn,sqlx=error,async_nats=error")?;
        let mut signals = out::StopSignals::listen()?;
        config.listen = self.listen.or(config.listen);
        config.set_default_data_dir(self.data_dir.as_deref(), DEMO_DIR);
        // Allows the upload of a sample of any size: a lead takes fewer than 512 bytes.
        let max_bytes = NonZeroU64::new(self.leads.saturating_mul(512));
        config.upload_max_bytes =
            config.upload_max_bytes.max(max_bytes.filter(|n| n.get() > Storage::UPLOAD_MAX_BYTES));
        let sandbox = SandboxServers::start(&mut config, self.faults.clone()).await?;
        let instance = LocalInstance::start(&config, TENANT, telemetry::init_metrics()?).await?;
        let result = signals.or(self.run_sample(&instance, &config, &sandbox.providers)).await;
        let outcome = match result {
            Ok(Some(detail)) if detail.run.completed() => Ok(Outcome::Done),
            Ok(Some(_)) => Ok(Outcome::Failed),
            // A signal arrived before the run ended: with --exit, that is a run that did not complete.
            Ok(None) if self.exit => Ok(Outcome::Failed),
            Ok(None) => Ok(Outcome::Done),
            Err(error) => Err(error),
        };
        instance.stop().await?;
        sandbox.providers.stop().await;
        outcome
    }

    /// Imports the sample, starts a run and follows it to its end; then waits forever, unless `--exit` is set.
    async fn run_sample(&self, instance: &LocalInstance, config: &Config, sandbox: &Sandbox) -> anyhow::Result<Detail> {
        let key = &instance.credentials.api_key;
        telemetry::notice(format_args!("Dashboard  {}/admin/pipelines\nKey        {key}\n", instance.url));
        let api = Api::new(config, instance.url.clone(), key.clone().into())?;
        self.create_sectors(instance).await?;
        add_number(instance).await?;
        let body = self.import(&api, &config.data_dir).await?;
        let run = run_start::start(&api, &body, Some(&idempotency_key(&body))).await?;
        let show = if self.json { Show::Nothing } else { Show::Bars };
        let detail = watch::until_ended(&api, &run, show).await?;
        if self.json {
            let mut summary = self.summary(&api, &detail, &body).await?;
            summary["providers"] = provider_totals(sandbox, &detail);
            out::json(&summary)?;
        } else {
            out::line(&watch::as_text(&detail))?;
        }
        if !self.exit {
            telemetry::notice(format_args!(
                "\nThe dashboard runs until Ctrl-C; `luci --data-dir {} env` prints all URLs.",
                config.data_dir.display()
            ));
            std::future::pending::<()>().await;
        }
        Ok(detail)
    }

    /// Creates the sectors of `SECTORS` that do not exist.
    async fn create_sectors(&self, instance: &LocalInstance) -> anyhow::Result<()> {
        let (mut c, tenant) = (instance.system.pool.acquire().await?, instance.credentials.tenant_id);
        let sector = |(slug, name, sic): (&str, &str, &str)| Sector {
            id: SectorId::generate(),
            slug: slug.to_owned(),
            name: name.to_owned(),
            state: Some("NY".to_owned()),
            sic_codes: vec![sic.to_owned()],
            legacy_bucket_id: None,
            created_at: Micros::now(),
        };
        sectors::create_missing(&mut c, tenant, &SECTORS.map(sector)).await?;
        Ok(())
    }

    /// The run's summary, its failed leads by reason, and whether starting it again returned the same run without new events.
    async fn summary(&self, api: &Api, detail: &Detail, body: &Value) -> anyhow::Result<Value> {
        let mut summary = detail.summary();
        let failed = api.get(&format!("/api/pipelines/{}/failed-leads?limit=1&summary", detail.run.run_id)).await?;
        summary["failedLeads"] =
            json!({"total": failed["total"], "codes": failed["codes"], "reasons": failed["reasons"]});
        let before = head(api).await?;
        let same = run_start::start(api, body, Some(&idempotency_key(body))).await? == detail.run.run_id;
        summary["repeated"] = json!({"sameRun": same, "newEvents": head(api).await? - before});
        Ok(summary)
    }

    /// A large sample runs fastest in the largest blocks; a small one shows more progress in smaller ones.
    const fn block_size(&self) -> Option<u32> {
        if self.leads < 100_000 { None } else { Some(1_000) }
    }

    /// Writes and uploads the sample; returns the body of the request that starts a run on it.
    async fn import(&self, api: &Api, data_dir: &Path) -> anyhow::Result<Value> {
        let file = data_dir.join("sample.csv");
        sample::write(&file, self.leads).context("cannot write the sample")?;
        let import = import::upload(api, &file, None, &json!({})).await?;
        let options =
            Options { max_leads: Some(self.leads.max(2_000)), block_size: self.block_size(), ..Options::default() };
        // The same sample again is meant.
        Ok(json!({"importId": import["importId"], "options": options.body(), "allowRepeat": true}))
    }
}

/// The `Idempotency-Key` of the run: one for each import.
fn idempotency_key(body: &Value) -> String {
    format!("demo {}", body["importId"].as_str().unwrap_or_default())
}

/// The position of the log's newest event.
async fn head(api: &Api) -> anyhow::Result<u64> {
    api.get("/api/system").await?["head"].as_u64().context("the gateway's response lacks `head`")
}

/// Calls counted by the sandbox and cost recorded by the run, for each provider.
fn provider_totals(sandbox: &Sandbox, detail: &Detail) -> Value {
    let ledger = sandbox.ledger();
    let with_cost = |(provider, totals): (&&str, &Totals)| {
        let stages = detail.stages.iter().filter(|stage| stage.provider.as_deref() == Some(provider));
        let cost_micros: u64 = stages.map(|stage| stage.cost_micros).sum();
        let totals = json!({"calls": totals.calls, "faults": totals.faults, "asked": totals.asked, "billed": totals.billed,
            "costMicros": cost_micros});
        ((*provider).to_owned(), totals)
    };
    ledger.providers.iter().map(with_cost).collect::<serde_json::Map<_, _>>().into()
}

/// A number to send from: messages that are approved in the demo go to the sandbox.
async fn add_number(instance: &LocalInstance) -> anyhow::Result<()> {
    let (mut tx, tenant) = (instance.system.pool.begin().await?, instance.credentials.tenant_id);
    if luci_messaging::store::sender_numbers::list(&mut tx, tenant).await?.is_empty() {
        let new = ("+12125550100", "signalhouse");
        luci_messaging::store::sender_numbers::add(&mut tx, tenant, &instance.system.log, new, &By::system(), None)
            .await?;
        tx.commit().await?;
        instance.system.log.wake();
    }
    Ok(())
}
