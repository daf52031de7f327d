//! `luci up`: runs everything on one machine, until SIGTERM or Ctrl-C.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use serde_json::json;

use super::{
    Outcome,
    client::Api,
    out::{self, Format},
    sandbox::SandboxServers,
};
use crate::{config::Config, local::LocalInstance, process::telemetry};

/// The default data folder with `--sandbox`. Not that of a real instance, which must not reuse answers of the sandbox.
pub const SANDBOX_DIR: &str = ".luci-sandbox";

/// The value of a `--listen`.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an address and a port, like 127.0.0.1:8080".to_owned())
}

#[derive(Debug, Args)]
pub struct Up {
    /// Address of the gateway [env: LUCI_LISTEN] [default: 127.0.0.1:8080, or a free port when it is taken]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<SocketAddr>,
    /// Call sandbox providers, which bill nothing, instead of the real ones; in a data folder of its own
    #[arg(long)]
    sandbox: bool,
    #[command(flatten)]
    format: Format,
    /// Data folder [env: LUCI_DATA_DIR] [default: .luci, or .luci-sandbox with --sandbox]
    // The global flag, of which this command must know whether it was given.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Up {
    pub async fn run(self, mut config: Config) -> anyhow::Result<Outcome> {
        let _traces = telemetry::init_log(&config, telemetry::DEFAULT_FILTER)?;
        config.listen = self.listen.or(config.listen);
        let (started, mut signals) = (std::time::Instant::now(), out::StopSignals::listen()?);
        let sandbox = match self.sandbox {
            true => {
                config.set_default_data_dir(self.data_dir.as_deref(), SANDBOX_DIR);
                Some(SandboxServers::start(&mut config, Vec::new()).await?)
            }
            false => None,
        };
        let instance = LocalInstance::start(&config, "default", telemetry::init_metrics()?).await?;
        let (data_dir, ready_ms) = (config.data_dir.display().to_string(), started.elapsed().as_millis());
        if !self.format.is_text() {
            self.format.document(&json!({"url": instance.url, "dataDir": data_dir, "readyMs": ready_ms}))?;
        } else {
            out::line(&format!("LUCI is ready at {}/admin/pipelines ({ready_ms} ms)", instance.url))?;
            out::line(&format!("The API key is in {data_dir}/credentials.json; `luci env` prints all URLs."))?;
            if self.sandbox {
                out::line("Sandbox: providers and carriers are simulated, nothing is billed or sent.")?;
            }
            match without_key(&config, &instance).await {
                Ok(Some(line)) => out::line(&line)?,
                Ok(None) => {}
                // With a certificate of its own, the gateway may not be one that this machine trusts by its address.
                Err(error) => tracing::warn!(%error, "providers without a key not listed"),
            }
        }
        let signal = signals.recv().await;
        tracing::info!(data_dir, signal, "instance stopping");
        instance.stop().await?;
        if let Some(sandbox) = sandbox {
            sandbox.providers.stop().await;
        }
        Ok(Outcome::Done)
    }
}

/// The providers that have no key, neither of the installation nor of the tenant.
async fn without_key(config: &Config, instance: &LocalInstance) -> anyhow::Result<Option<String>> {
    let api = Api::new(config, instance.url.clone(), instance.credentials.api_key.clone().into())?;
    let list = api.get("/api/providers").await?;
    let providers = list["providers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let missing = providers.iter().filter(|provider| provider["configured"] == false);
    let names: Vec<&str> = missing.filter_map(|provider| provider["provider"].as_str()).collect();
    let line =
        format!("No key for {}: a run that needs one does not start; `luci provider set NAME`.", names.join(", "));
    Ok((!names.is_empty()).then_some(line))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use clap::Parser;

    use super::{
        super::{Cli, Command},
        SANDBOX_DIR,
    };
    use crate::config::Config;

    /// The data folder of `luci up --sandbox`.
    fn data_dir(variable: Option<&str>, arguments: &[&str]) -> std::path::PathBuf {
        let variables: BTreeMap<_, _> = variable.map(|dir| ("LUCI_DATA_DIR".into(), dir.into())).into_iter().collect();
        let mut config = Config::read(variables).expect("a configuration");
        let cli = Cli::parse_from(["luci"].iter().chain(arguments));
        if let Some(data_dir) = &cli.data_dir {
            config.set_data_dir(data_dir);
        }
        let Command::Up(up) = cli.command else { panic!("luci up") };
        config.set_default_data_dir(up.data_dir.as_deref(), SANDBOX_DIR);
        config.data_dir
    }

    #[test]
    fn the_sandbox_has_a_folder_of_its_own_unless_one_is_named() {
        assert_eq!(data_dir(None, &["up", "--sandbox"]), Path::new(".luci-sandbox"));
        // Also the folder that is the default without --sandbox.
        assert_eq!(data_dir(None, &["up", "--sandbox", "--data-dir", ".luci"]), Path::new(".luci"));
        assert_eq!(data_dir(None, &["--data-dir", ".luci", "up", "--sandbox"]), Path::new(".luci"));
        assert_eq!(data_dir(Some(".luci"), &["up", "--sandbox"]), Path::new(".luci"));
        assert_eq!(data_dir(Some("a"), &["up", "--sandbox", "--data-dir", "b"]), Path::new("b"));
    }
}
