//! `luci demo`: everything of `luci up`, with a demo tenant, sandbox providers and a sample import that runs through.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU64,
    path::Path,
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use luci_engine::{
    admin::{By, sending},
    book::sectors::{self, Sector},
    provider::ProvidersConfig,
    storage::Storage,
};
use luci_schema::{Micros, SectorId};
use serde_json::{Value, json};

use super::{
    Outcome, import, out,
    run::{self, Options},
};
use crate::{
    client::Api,
    config::{Config, DATA_DIR},
    home::Home,
    sample,
    sandbox::{Carriers, FaultSpec, Sandbox, SandboxOptions, Sums},
    telemetry,
    watch::{self, Detail, Show},
};

/// A folder of its own: what the sandbox has answered is of no use to a real instance.
const DEMO_DIR: &str = ".luci-demo";
const TENANT: &str = "demo";

/// Slug, name and SIC code: markets in New York that the sample has leads of.
const SECTORS: [(&str, &str, &str); 3] = [
    ("ny-construction-contractors-electrical", "Electricians, New York", "1731"),
    ("ny-construction-contractors-plumbing-hvac", "Plumbing and heating, New York", "1711"),
    ("ny-construction-contractors-roofing-siding", "Roofers, New York", "1761"),
];

#[derive(Debug, Args)]
pub struct Demo {
    /// Leads of the sample
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    leads: u64,
    /// Ends when the run has ended; exit code 1 unless it completed
    #[arg(long)]
    exit: bool,
    /// The summary of the run as JSON
    #[arg(long)]
    json: bool,
    /// What goes wrong at the sandbox, for example `apollo:429=0.2,5xx=0.05`; `all:…` for every provider
    #[arg(long, value_name = "SPEC")]
    faults: Vec<FaultSpec>,
    /// Where the gateway answers [env: LUCI_LISTEN] [default: 127.0.0.1:8080, or a free port when it is taken]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

impl Demo {
    pub async fn run(self, mut config: Config) -> anyhow::Result<Outcome> {
        telemetry::log(&config.log, "warn,sqlx=error,async_nats=error");
        let mut signals = out::StopSignals::listen()?;
        config.listen = self.listen.or(config.listen);
        if config.data_dir == Path::new(DATA_DIR) {
            config.data_dir = DEMO_DIR.into();
        }
        // The sample may be of any size: no lead of it takes as many bytes as this.
        let sample = NonZeroU64::new(self.leads.saturating_mul(512));
        config.upload_max_bytes = config.upload_max_bytes.max(sample.filter(|n| n.get() > Storage::UPLOAD_MAX_BYTES));
        let sandbox = Sandbox::start(
            (Ipv4Addr::LOCALHOST, 0).into(),
            SandboxOptions { specs: self.faults.clone(), ..Default::default() },
        )
        .await?;
        config.providers = ProvidersConfig::all_at(&sandbox.url(), sandbox.key());
        let carriers = Carriers::start((Ipv4Addr::LOCALHOST, 0).into(), Duration::ZERO).await?;
        config.providers.senders = carriers.config();
        let home = Home::start(&config, TENANT, telemetry::figures()?).await?;
        let shown = signals.or(self.show(&home, &config, &sandbox)).await;
        let outcome = match shown {
            Ok(Some(detail)) if detail.run.completed() => Ok(Outcome::Done),
            Ok(Some(_)) => Ok(Outcome::Failed),
            // Told to stop before the run had ended: when that was asked to be waited for, it did not complete.
            Ok(None) if self.exit => Ok(Outcome::Failed),
            Ok(None) => Ok(Outcome::Done),
            Err(error) => Err(error),
        };
        home.stop().await?;
        sandbox.stop().await;
        outcome
    }

    /// Runs the sample through; then, unless it is to exit, stays.
    async fn show(&self, home: &Home, config: &Config, sandbox: &Sandbox) -> anyhow::Result<Detail> {
        let key = &home.credentials.api_key;
        telemetry::tell(format_args!("Dashboard  {}/admin/pipelines\nKey        {key}\n", home.url));
        let api = Api::new(home.url.clone(), key.clone().into())?;
        self.sectors(home).await?;
        number(home).await?;
        let body = self.import(&api, &config.data_dir).await?;
        let run = run::start(&api, &body, Some(&once(&body))).await?;
        let show = if self.json { Show::Nothing } else { Show::Bars };
        let detail = watch::until_ended(&api, &run, show).await?;
        if self.json {
            let mut summary = self.summary(&api, &detail, &body).await?;
            summary["providers"] = called(sandbox, &detail);
            out::json(&summary)?;
        } else {
            out::line(&watch::in_words(&detail))?;
        }
        if !self.exit {
            telemetry::tell(format_args!(
                "\nThe dashboard stays up until Ctrl-C; `luci --data-dir {} env` prints all addresses.",
                config.data_dir.display()
            ));
            std::future::pending::<()>().await;
        }
        Ok(detail)
    }

    /// Markets of New York beside the default ones; those of an earlier demo stay.
    async fn sectors(&self, home: &Home) -> anyhow::Result<()> {
        let (mut c, tenant) = (home.system.pool.acquire().await?, home.credentials.tenant_id);
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

    /// What the run made of the leads, which failed for which reason, and what the same command once more begins: nothing.
    async fn summary(&self, api: &Api, detail: &Detail, body: &Value) -> anyhow::Result<Value> {
        let mut summary = detail.summary();
        let failed = api.get(&format!("/api/pipelines/{}/failed-leads?limit=1&summary", detail.run.run_id)).await?;
        summary["failedLeads"] =
            json!({"total": failed["total"], "codes": failed["codes"], "reasons": failed["reasons"]});
        let before = head(api).await?;
        let same = run::start(api, body, Some(&once(body))).await? == detail.run.run_id;
        summary["repeated"] = json!({"sameRun": same, "newEvents": head(api).await? - before});
        Ok(summary)
    }

    /// A large file is worked on faster in the largest blocks there are; a small one shows more of itself in many.
    const fn block_size(&self) -> Option<u32> {
        if self.leads < 100_000 { None } else { Some(1_000) }
    }

    /// The command that starts a run on the sample.
    async fn import(&self, api: &Api, data_dir: &Path) -> anyhow::Result<Value> {
        let file = data_dir.join("sample.csv");
        sample::write(&file, self.leads).context("the sample cannot be written")?;
        let import = import::upload(api, &file).await?;
        let options =
            Options { max_leads: Some(self.leads.max(2_000)), block_size: self.block_size(), budget_micros: None };
        Ok(json!({"importId": import["importId"], "options": options.body()}))
    }
}

/// The `Idempotency-Key` that the sample is started under; each demo uploads its own.
fn once(body: &Value) -> String {
    format!("demo {}", body["importId"].as_str().unwrap_or_default())
}

/// The position of the newest event of all.
async fn head(api: &Api) -> anyhow::Result<u64> {
    api.get("/api/system").await?["head"].as_u64().context("the gateway named no head")
}

/// Calls as the sandbox counted them, and costs as the run did, by provider.
fn called(sandbox: &Sandbox, detail: &Detail) -> Value {
    let ledger = sandbox.ledger();
    let of = |(provider, sums): (&&str, &Sums)| {
        let stages = detail.stages.iter().filter(|stage| stage.provider.as_deref() == Some(provider));
        let cost_micros: u64 = stages.map(|stage| stage.cost_micros).sum();
        let sums = json!({"calls": sums.calls, "faults": sums.faults, "asked": sums.asked, "billed": sums.billed,
            "costMicros": cost_micros});
        ((*provider).to_owned(), sums)
    };
    ledger.providers.iter().map(of).collect::<serde_json::Map<_, _>>().into()
}

/// A number to send from: messages that are approved in the demo go to the sandbox.
async fn number(home: &Home) -> anyhow::Result<()> {
    let (mut tx, tenant) = (home.system.pool.begin().await?, home.credentials.tenant_id);
    if sending::numbers(&mut tx, tenant).await?.is_empty() {
        let new = ("+12125550100", "signalhouse");
        sending::add_number(&mut tx, tenant, &home.system.log, new, &By::system(), None).await?;
        tx.commit().await?;
        home.system.log.wake();
    }
    Ok(())
}
