//! The command line; each subcommand is a file. Exit codes: 0 success, 1 error, or a run or check that failed, 2 usage,
//! 78 configuration, 130 interrupted while it watched a run. A closed pipe (`| head`) ends the program silently.

mod artifact;
pub mod audit;
mod auditor;
mod automation;
mod backup;
mod blueprint;
mod catalog;
mod chosen_instance;
mod client;
mod completion;
pub mod demo;
mod doctor;
mod download;
mod env;
mod erase;
mod hold;
mod ids;
mod import;
mod input;
mod key;
mod lead;
mod legacy_migration;
mod message;
mod migrate;
mod nats;
mod out;
mod projections;
mod provider;
mod relay;
mod restore;
mod results;
mod retention;
mod run;
mod run_list;
mod run_options;
mod run_start;
pub mod sandbox;
mod serve;
mod storage;
mod suppression;
mod tenant;
mod up;
mod upload_parts;
mod version;
mod watch;
mod webhook;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use client::ApiError;

use crate::{
    config::{Config, ConfigErrors, MissingSetting},
    local::LocalError,
    process::telemetry,
};

#[derive(Debug, Parser)]
#[command(
    name = "luci",
    version,
    about = "Processes leads through a pipeline of stages; an event log records every change."
)]
struct Cli {
    /// Data folder of the instance [env: LUCI_DATA_DIR] [default: .luci]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on one machine, with a private Postgres and NATS in the data folder
    Up(up::Up),
    /// Run everything with a demo tenant, sandbox providers and a sample import
    Demo(demo::Demo),
    /// Run the sandbox providers alone, with faults on request
    Sandbox(sandbox::SandboxCommand),
    /// Print URLs and API key of the instance in the data folder as shell exports
    Env(env::Env),
    /// Run some or all roles on a shared Postgres, NATS and store
    Serve(serve::Serve),
    /// Create logins for auditors who use SQL, as the database's owner
    #[command(subcommand)]
    Auditor(auditor::Auditor),
    /// Create or update roles and tables, as the database's owner
    Migrate(migrate::Migrate),
    /// Upload a CSV of leads, and optionally start a run on it
    Import(import::Import),
    /// List, show, export and add leads
    #[command(subcommand)]
    Lead(lead::Lead),
    /// Start, show, watch and control runs
    #[command(subcommand)]
    Run(run::Run),
    /// Show what a run produced: counts, files, messages, and every lead as CSV or JSON lines
    Results(results::Results),
    /// List and download the files that a run wrote
    #[command(subcommand)]
    Artifact(artifact::Artifact),
    /// List messages; approve and reject drafts
    #[command(subcommand)]
    Message(message::Message),
    /// Manage automations, which start runs on triggers
    #[command(subcommand)]
    Automation(automation::Automation),
    /// List, show, publish, activate and archive blueprints
    #[command(subcommand)]
    Blueprint(blueprint::Blueprint),
    /// List and show sectors
    #[command(subcommand)]
    Sector(catalog::Sector),
    /// List and show templates of messages
    #[command(subcommand)]
    Template(catalog::Template),
    /// List, add and lift suppressions: numbers and addresses that are never contacted
    #[command(subcommand)]
    Suppression(suppression::Suppression),
    /// Create a tenant with its owner and an API key, as operator
    #[command(subcommand)]
    Tenant(tenant::Tenant),
    /// List, create and revoke API keys
    #[command(subcommand)]
    Key(key::Key),
    /// List outside providers; set and remove the tenant's own credentials
    #[command(subcommand)]
    Provider(provider::Provider),
    /// Review messages that may be an opt-out
    #[command(subcommand)]
    Hold(hold::Hold),
    /// Review deliveries of webhooks that could not be understood
    #[command(subcommand)]
    Webhook(webhook::Webhook),
    /// Show a run's history and states, verify them, and compare the read tables with the log
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Erase a person: every row and object is left without the person's data
    Erase(erase::Erase),
    /// Print what is stored of a person
    #[command(subcommand)]
    Person(erase::PersonCommand),
    /// Show and set how long objects are kept
    #[command(subcommand)]
    Retention(retention::Retention),
    /// Compare stored objects with what was recorded, and migrate those of the older platform
    #[command(subcommand)]
    Storage(storage::Storage),
    /// Print the configuration of a shared nats-server: a user for each role, and how clients get in
    #[command(subcommand)]
    Nats(nats::Nats),
    /// Repair stream EVT where only an operator may decide, as operator
    #[command(subcommand)]
    Relay(relay::Relay),
    /// Write database and stored objects to a folder, while LUCI runs, as operator
    Backup(backup::Backup),
    /// Restore a backup, show what happened after it, and accept the restored state, as operator
    #[command(subcommand)]
    Restore(restore::Restore),
    /// Show the position of the read tables, and rebuild them, as operator
    #[command(subcommand)]
    Projections(projections::Projections),
    /// Check programs, ports, Postgres, NATS, the store, keys, clocks and seals, and say what to do
    Doctor(doctor::Doctor),
    /// Print the completion script of a shell
    Completion(completion::Completion),
    /// Write the manual pages into a folder
    Man(completion::Man),
    /// Print the version of this program, and of the gateway
    Version(version::Version),
}

impl Command {
    /// Whether it acts on what runs already, so that the data folder of a flag names all of it. The others start servers, which
    /// the environment may name beside the folder.
    const fn uses_instance(&self) -> bool {
        !matches!(self, Self::Up(_) | Self::Demo(_) | Self::Sandbox(_) | Self::Serve(_) | Self::Restore(_))
    }
}

/// The command line names something that does not exist, or not well enough: exit code 2, as for unknown flags.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// The result of a command that ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The run or the check failed; the reason was printed.
    Failed,
    /// A signal ended a command that waits for a run.
    Interrupted,
}

const USAGE_ERROR: u8 = 2;
const CONFIGURATION_ERROR: u8 = 78;

/// Runs the program and returns its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // It fails only when a provider was installed before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = match Config::from_environment() {
        Ok(config) => config,
        Err(errors) => return report(&errors.into()),
    };
    if let Some(data_dir) = &cli.data_dir {
        config.set_data_dir(data_dir);
    }
    if cli.command.uses_instance() {
        chosen_instance::choose(&mut config);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&error.into()),
    };
    let result = runtime.block_on(run(cli.command, config));
    // A blocking read of standard input must not delay the exit.
    runtime.shutdown_background();
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::FAILURE,
        // As a shell reports a command that Ctrl-C ended.
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(error) => report(&error),
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
        Command::Results(results) => results.run(&config).await,
        Command::Artifact(artifact) => artifact.run(&config).await,
        Command::Message(message) => message.run(&config).await,
        Command::Automation(automation) => automation.run(&config).await,
        Command::Blueprint(blueprint) => blueprint.run(&config).await,
        Command::Sector(sector) => sector.run(&config).await,
        Command::Template(template) => template.run(&config).await,
        Command::Suppression(suppression) => suppression.run(&config).await,
        Command::Tenant(tenant) => tenant.run(&config).await,
        Command::Key(key) => key.run(&config).await,
        Command::Provider(provider) => provider.run(&config).await,
        Command::Hold(hold) => hold.run(&config).await,
        Command::Erase(erase) => erase.run(&config).await,
        Command::Retention(retention) => retention.run(&config).await,
        Command::Person(person) => person.run(&config).await,
        Command::Webhook(webhook) => webhook.run(&config).await,
        Command::Auditor(auditor) => auditor.run(&config).await,
        Command::Audit(audit) => audit.run(&config).await,
        Command::Storage(storage) => storage.run(&config).await,
        Command::Nats(nats) => nats.run(&config),
        Command::Relay(relay) => relay.run(&config).await,
        Command::Backup(backup) => backup.run(&config).await,
        Command::Restore(restore) => restore.run(&config).await,
        Command::Projections(projections) => projections.run(&config).await,
        Command::Doctor(doctor) => doctor.run(&config).await,
        Command::Completion(completion) => completion.run::<Cli>(),
        Command::Man(man) => man.run::<Cli>(),
        Command::Version(version) => version.run(&config).await,
    }
}

/// Prints the error once and returns the exit code.
fn report(error: &anyhow::Error) -> ExitCode {
    if out::is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    match error.downcast_ref::<ApiError>() {
        Some(error) => telemetry::notice(format_args!("luci: {}", error.detailed())),
        None => telemetry::notice(format_args!("luci: {error:#}")),
    }
    let configuration = error.downcast_ref::<ConfigErrors>().is_some()
        || error.downcast_ref::<MissingSetting>().is_some()
        || matches!(
            error.downcast_ref::<LocalError>(),
            Some(LocalError::NoPostgres { .. } | LocalError::NoNats | LocalError::OldNats { .. })
        );
    if error.is::<UsageError>() {
        return ExitCode::from(USAGE_ERROR);
    }
    if configuration { ExitCode::from(CONFIGURATION_ERROR) } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_argument_of_every_command_is_explained() {
        fn unexplained(command: &clap::Command, path: &str) -> Vec<String> {
            let path = format!("{path} {}", command.get_name());
            let own = command.get_arguments().filter(|argument| argument.get_help().is_none());
            let own = own.map(|argument| format!("{path} {}", argument.get_id()));
            let below = command.get_subcommands().flat_map(|below| unexplained(below, &path));
            own.chain(below).collect()
        }
        assert_eq!(unexplained(&Cli::command(), ""), Vec::<String>::new());
    }
}
