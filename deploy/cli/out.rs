//! What the commands share in speaking to people and to scripts.

use std::{future::Future, io::Write};

use anyhow::Context;
use serde_json::Value;

/// A setting without which a command cannot work: exit code 78.
#[derive(Debug, thiserror::Error)]
#[error("{name} is not set: {remedy}")]
pub struct Missing {
    pub name: &'static str,
    pub remedy: &'static str,
}

/// One line of JSON on standard output.
pub fn json(value: &Value) -> anyhow::Result<()> {
    line(&value.to_string())
}

/// One line on standard output. A reader that went away (`| head`) is an error that ends the command.
pub fn line(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("standard output was closed")
}

/// Ends with SIGTERM or Ctrl-C.
pub async fn told_to_stop() -> anyhow::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM"),
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| "Ctrl-C").map_err(Into::into),
    }
}

/// `work`, unless the process is told to stop first.
pub async fn unless_stopped<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<Option<T>> {
    tokio::select! {
        done = work => done.map(Some),
        told = told_to_stop() => told.map(|_| None),
    }
}
