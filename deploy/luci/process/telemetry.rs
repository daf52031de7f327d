//! Log lines without personal data, metrics for Prometheus, and traces for a collector.

use std::io::{IsTerminal, Write as _};

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, Layer as _, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use super::{Traces, metric_help::describe_metrics};
use crate::config::{Config, LogFormat};

/// The default of `LUCI_LOG`. The NATS client repeats events that our own lines report with identifiers, and notices of
/// Postgres report migration steps that were already applied.
pub const DEFAULT_FILTER: &str = "info,async_nats=warn,sqlx::postgres::notice=warn";

/// Prints a line for the user to standard error. A closed standard error is ignored.
pub fn notice(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Sends log lines to standard error; standard output is for the result of a command.
///
/// `default_filter` applies when `LUCI_LOG` is not set: `luci demo` shows progress bars and no lines. With a collector, spans
/// are sent to it until the value is dropped.
///
/// # Errors
/// As `Traces::start`.
pub fn init_log(config: &Config, default_filter: &str) -> anyhow::Result<Option<Traces>> {
    let traces = config.traces.as_ref().map(Traces::start).transpose()?;
    let config = &config.log;
    let filter = config.filter.as_deref().unwrap_or(default_filter);
    // The filter was validated with the configuration.
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let format = config.format.unwrap_or(if terminal { LogFormat::Pretty } else { LogFormat::Json });
    let lines = match format {
        LogFormat::Json => {
            let json = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(true);
            json.with_writer(std::io::stderr).boxed()
        }
        LogFormat::Pretty => {
            fmt::layer().compact().with_ansi(terminal).with_target(false).with_writer(std::io::stderr).boxed()
        }
    };
    // A filter of the lines alone: spans are sent whatever is logged.
    let lines = tracing_subscriber::registry().with(lines.with_filter(filter));
    let installed = lines.with(traces.as_ref().map(Traces::layer)).try_init();
    if installed.is_err() {
        tracing::debug!("log subscriber was already installed");
    }
    Ok(traces)
}

/// Bucket bounds of every `_seconds` histogram.
const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Installs the metrics recorder; the gateway serves it at `/metrics`.
pub fn init_metrics() -> Result<PrometheusHandle, BuildError> {
    use metrics_exporter_prometheus::Matcher;
    let seconds = Matcher::Suffix("_seconds".to_owned());
    let handle = PrometheusBuilder::new().set_buckets_for_metric(seconds, SECONDS)?.install_recorder()?;
    describe_metrics();
    Ok(handle)
}
