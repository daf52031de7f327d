//! How the process speaks of itself: log lines without personal data, and figures for Prometheus.

use std::io::{IsTerminal, Write as _};

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{LogConfig, LogFormat};

/// What is logged when the configuration does not say: the broker's client repeats what our own lines say better, and
/// Postgres' notices tell of what a migration finds done.
pub const USUAL: &str = "info,async_nats=warn,sqlx::postgres::notice=warn";

/// Tells the user something that is no answer. Nobody may be reading: a closed standard error is no reason to end.
pub fn tell(what: impl std::fmt::Display) {
    let _unread = writeln!(std::io::stderr(), "{what}");
}

/// Writes log lines to standard error: standard output belongs to what a command answers.
///
/// `quiet` is the filter when the configuration names none: `luci demo` shows bars, not lines.
pub fn log(config: &LogConfig, quiet: &str) {
    let filter = config.filter.as_deref().unwrap_or(quiet);
    // The filter was checked with the configuration.
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let format = config.format.unwrap_or(if terminal { LogFormat::Pretty } else { LogFormat::Json });
    let lines = tracing_subscriber::registry().with(filter);
    let installed = match format {
        LogFormat::Json => {
            let json = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(true);
            lines.with(json.with_writer(std::io::stderr)).try_init()
        }
        LogFormat::Pretty => {
            let pretty = fmt::layer().compact().with_ansi(terminal).with_target(false);
            lines.with(pretty.with_writer(std::io::stderr)).try_init()
        }
    };
    if installed.is_err() {
        tracing::debug!("log lines were set up before");
    }
}

/// Seconds: the bounds of every duration's histogram.
const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// The process's figures; the gateway answers them at `/metrics`.
pub fn figures() -> Result<PrometheusHandle, BuildError> {
    use metrics_exporter_prometheus::Matcher;
    let seconds = Matcher::Suffix("_seconds".to_owned());
    PrometheusBuilder::new().set_buckets_for_metric(seconds, SECONDS)?.install_recorder()
}
