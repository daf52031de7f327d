//! Output of the commands on standard output, and the signals that stop them.

mod format;
pub mod table;

use std::{
    future::Future,
    io::{self, Write},
};

use anyhow::Context;
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub use format::{Format, List};

use crate::process::telemetry;

/// Prints a line of JSON.
pub fn json(value: &Value) -> anyhow::Result<()> {
    print(&json_text(value))
}

/// Prints one or more lines. They may quote texts of tenants, so control characters are escaped: they could steer the
/// terminal. A closed standard output (`| head`) is an error, which ends the program silently.
pub fn line(text: &str) -> anyhow::Result<()> {
    print(&text.split('\n').map(escaped).collect::<Vec<_>>().join("\n"))
}

/// A text with its control characters escaped, also the ends of lines.
pub fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        if c.is_control() && c != '\t' {
            escaped.extend(c.escape_default())
        } else {
            escaped.push(c)
        }
        escaped
    })
}

/// JSON leaves some control characters as they are: those after ASCII, and DEL.
fn json_text(value: &Value) -> String {
    value.to_string().chars().fold(String::new(), |mut text, c| {
        if c.is_control() {
            text.push_str(&format!("\\u{:04x}", u32::from(c)))
        } else {
            text.push(c)
        }
        text
    })
}

fn print(text: &str) -> anyhow::Result<()> {
    write(format!("{text}\n").as_bytes())
}

/// Writes bytes as they are.
pub fn write(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).context("cannot write to standard output")
}

/// `1 row`, `2 rows`.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Whether the reader of standard output has gone (`| head`).
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.downcast_ref::<io::Error>().is_some_and(broken)
}

/// Says that a list has no items, where a program that reads the output does not see it.
fn notice_empty(noun: &str) {
    telemetry::notice(format_args!("no {noun}"));
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn control_characters_of_a_text_are_escaped() {
        assert_eq!(escaped("Plumbers\u{1b}[2J\n\u{9b}0m ü\t."), "Plumbers\\u{1b}[2J\\n\\u{9b}0m ü\t.");
    }

    #[test]
    fn json_has_no_control_character_and_the_same_value() {
        let value = json!({"name": "a\u{1b}\n\u{7f}\u{9b}b"});
        let text = json_text(&value);
        assert!(!text.contains(char::is_control), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
    }
}
