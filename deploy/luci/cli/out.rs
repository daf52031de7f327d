//! Output of the commands on standard output, and the signals that stop them.

use std::{future::Future, io::Write};

use anyhow::Context;
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Prints a line of JSON.
pub fn json(value: &Value) -> anyhow::Result<()> {
    line(&value.to_string())
}

/// Prints a line. A closed standard output (`| head`) is an error.
pub fn line(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("standard output was closed")
}

/// SIGTERM and Ctrl-C. Signals are caught from `listen` on: one that arrives during a start is handled after it, so that no
/// server is left running.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub fn listen() -> anyhow::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for a signal and returns its name.
    pub async fn recv(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "Ctrl-C",
        }
    }

    /// The result of `work`; `None` when a signal arrives first.
    pub async fn or<T>(&mut self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<Option<T>> {
        tokio::select! {
            result = work => result.map(Some),
            _ = self.recv() => Ok(None),
        }
    }
}
