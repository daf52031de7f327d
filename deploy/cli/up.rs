//! `luci up`: everything on one machine, until SIGTERM or Ctrl-C.

use std::net::SocketAddr;

use clap::Args;
use serde_json::json;

use super::{Outcome, out};
use crate::{config::Config, home::Home, telemetry};

#[derive(Debug, Args)]
pub struct Up {
    /// Where the gateway answers [env: LUCI_LISTEN] [default: 127.0.0.1:8080, or a free port when it is taken]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// One line of JSON when it is ready
    #[arg(long)]
    json: bool,
}

impl Up {
    pub async fn run(self, mut config: Config) -> anyhow::Result<Outcome> {
        telemetry::log(&config.log, telemetry::USUAL);
        config.listen = self.listen.or(config.listen);
        let (began, mut signals) = (std::time::Instant::now(), out::StopSignals::listen()?);
        let home = Home::start(&config, "default", telemetry::figures()?).await?;
        let (data_dir, ready_ms) = (config.data_dir.display().to_string(), began.elapsed().as_millis());
        if self.json {
            out::json(&json!({"url": home.url, "dataDir": data_dir, "readyMs": ready_ms}))?;
        } else {
            out::line(&format!("LUCI answers at {}/admin/pipelines ({ready_ms} ms)", home.url))?;
            out::line(&format!("The key is in {data_dir}/credentials.json; `luci env` prints all addresses."))?;
        }
        let signal = signals.told().await;
        tracing::info!(signal, "stopping");
        home.stop().await?;
        Ok(Outcome::Done)
    }
}
