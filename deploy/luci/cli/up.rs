//! `luci up`: runs everything on one machine, until SIGTERM or Ctrl-C.

use std::net::SocketAddr;

use clap::Args;
use serde_json::json;

use super::{Outcome, out};
use crate::{config::Config, local::LocalInstance, process::telemetry};

#[derive(Debug, Args)]
pub struct Up {
    /// Address of the gateway [env: LUCI_LISTEN] [default: 127.0.0.1:8080, or a free port when it is taken]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Print a line of JSON when ready
    #[arg(long)]
    json: bool,
}

impl Up {
    pub async fn run(self, mut config: Config) -> anyhow::Result<Outcome> {
        telemetry::init_log(&config.log, telemetry::DEFAULT_FILTER);
        config.listen = self.listen.or(config.listen);
        let (started, mut signals) = (std::time::Instant::now(), out::StopSignals::listen()?);
        let instance = LocalInstance::start(&config, "default", telemetry::init_metrics()?).await?;
        let (data_dir, ready_ms) = (config.data_dir.display().to_string(), started.elapsed().as_millis());
        if self.json {
            out::json(&json!({"url": instance.url, "dataDir": data_dir, "readyMs": ready_ms}))?;
        } else {
            out::line(&format!("LUCI is ready at {}/admin/pipelines ({ready_ms} ms)", instance.url))?;
            out::line(&format!("The API key is in {data_dir}/credentials.json; `luci env` prints all URLs."))?;
        }
        let signal = signals.recv().await;
        tracing::info!(data_dir, signal, "instance stopping");
        instance.stop().await?;
        Ok(Outcome::Done)
    }
}
