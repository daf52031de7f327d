//! The command line: one file a subcommand. Exit codes: 0 done, 1 the run or the check failed, 2 usage, 78 configuration.

mod audit;
mod automation;
mod blueprint;
mod demo;
mod env;
mod import;
mod key;
mod lead;
mod migrate;
pub mod out;
mod projections;
mod provider;
mod run;
mod sandbox;
pub mod serve;
mod storage;
mod tenant;
mod up;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{
    client::Refused,
    config::{Config, Mistakes},
    local::LocalError,
    telemetry,
};

#[derive(Debug, Parser)]
#[command(name = "luci", version, about = "Takes leads through a pipeline of stages, every fact in a log.")]
struct Cli {
    /// The folder of the instance [env: LUCI_DATA_DIR] [default: .luci]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything on one machine, on a private Postgres and NATS in the data folder
    Up(up::Up),
    /// The same with a demo tenant, sandbox providers and a sample import
    Demo(demo::Demo),
    /// The sandbox providers alone, with faults on order
    Sandbox(sandbox::SandboxCommand),
    /// The addresses and the key of the instance in the data folder, ready to source
    Env(env::Env),
    /// Some roles, or all, against a shared Postgres, NATS and store
    Serve(serve::Serve),
    /// Makes the database ready, as its owner
    Migrate(migrate::Migrate),
    /// Uploads a CSV of leads, and starts a run on it
    Import(import::Import),
    /// Brings leads as JSON
    #[command(subcommand)]
    Lead(lead::Lead),
    /// Starts, shows, watches and steers runs
    #[command(subcommand)]
    Run(run::Run),
    /// What starts runs by itself
    #[command(subcommand)]
    Automation(automation::Automation),
    /// Lists, shows, publishes, activates and puts away blueprints
    #[command(subcommand)]
    Blueprint(blueprint::Blueprint),
    /// Makes a tenant with its owner and a key, as operator
    #[command(subcommand)]
    Tenant(tenant::Tenant),
    /// Lists, makes and revokes keys
    #[command(subcommand)]
    Key(key::Key),
    /// Lists outside providers, keeps and forgets the tenant's own credentials there
    #[command(subcommand)]
    Provider(provider::Provider),
    /// A run's history and states, what proves them, and whether the read tables say the same
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Whether a run's objects are what was recorded
    #[command(subcommand)]
    Storage(storage::Storage),
    /// How far the read tables are; folds them anew, as operator
    #[command(subcommand)]
    Projections(projections::Projections),
}

pub use out::Missing;

/// How a command ended when nothing broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The run or the check failed; what failed was printed.
    Failed,
}

const BAD_CONFIGURATION: u8 = 78;

/// Runs the program and answers its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Ring is the only provider built in; a second call would mean a second main.
    let _first = rustls::crypto::ring::default_provider().install_default();
    let mut config = match Config::from_environment() {
        Ok(config) => config,
        Err(mistakes) => return explain(&mistakes.into()),
    };
    if let Some(data_dir) = &cli.data_dir {
        config.data_dir.clone_from(data_dir);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return explain(&error.into()),
    };
    let ended = runtime.block_on(run(cli.command, config));
    // A read of standard input that never ends must not keep us.
    runtime.shutdown_background();
    match ended {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::FAILURE,
        Err(error) => explain(&error),
    }
}

async fn run(command: Command, config: Config) -> anyhow::Result<Outcome> {
    match command {
        Command::Up(up) => up.run(config).await,
        Command::Demo(demo) => demo.run(config).await,
        Command::Sandbox(sandbox) => sandbox.run(&config).await,
        Command::Env(env) => env.run(&config),
        Command::Serve(serve) => serve.run(config).await,
        Command::Migrate(migrate) => migrate.run(&config).await,
        Command::Import(import) => import.run(&config).await,
        Command::Lead(lead) => lead.run(&config).await,
        Command::Run(run) => run.run(&config).await,
        Command::Automation(automation) => automation.run(&config).await,
        Command::Blueprint(blueprint) => blueprint.run(&config).await,
        Command::Tenant(tenant) => tenant.run(&config).await,
        Command::Key(key) => key.run(&config).await,
        Command::Provider(provider) => provider.run(&config).await,
        Command::Audit(audit) => audit.run(&config).await,
        Command::Storage(storage) => storage.run(&config).await,
        Command::Projections(projections) => projections.run(&config).await,
    }
}

/// Says what went wrong, once, and picks the exit code.
fn explain(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<Refused>() {
        Some(refused) => telemetry::tell(format_args!("luci: {}", refused.sentence())),
        None => telemetry::tell(format_args!("luci: {error:#}")),
    }
    let configuration = error.downcast_ref::<Mistakes>().is_some()
        || error.downcast_ref::<out::Missing>().is_some()
        || matches!(
            error.downcast_ref::<LocalError>(),
            Some(LocalError::NoPostgres { .. } | LocalError::NoNats | LocalError::OldNats { .. })
        );
    if configuration { ExitCode::from(BAD_CONFIGURATION) } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
