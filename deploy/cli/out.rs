//! What the commands share in speaking to people and to scripts.

use std::{future::Future, io::Write};

use anyhow::Context;
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};

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

/// SIGTERM and Ctrl-C, heard from the moment that this is made: one that comes while a start is under way is not lost,
/// and stops what was started instead of leaving it behind.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub fn listen() -> anyhow::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one of them and names it.
    pub async fn told(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "Ctrl-C",
        }
    }

    /// `work`, unless told to stop first.
    pub async fn or<T>(&mut self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<Option<T>> {
        tokio::select! {
            done = work => done.map(Some),
            _ = self.told() => Ok(None),
        }
    }
}
