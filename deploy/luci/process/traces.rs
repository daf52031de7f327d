//! Traces: the spans of requests, commands, appends, publications, blocks and provider calls, sent to a collector by OTLP.
//!
//! Spans wait in a bounded queue, and a thread of their own sends them: neither a slow collector nor one that is away costs
//! the work anything but spans.

use std::{
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    trace::{SpanKind, TracerProvider as _},
};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanData, SpanExporter},
};
use tokio::runtime::Handle;
use tracing::{Metadata, Subscriber, subscriber::Interest};
use tracing_subscriber::{Layer, filter::DynFilterFn, layer::Context, registry::LookupSpan};

use crate::config::TracesConfig;

/// Spans that wait for the collector; further ones are dropped.
const QUEUE: usize = 8_192;
const EXPORT_EVERY: Duration = Duration::from_secs(1);
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// What the end of a process waits for its last spans.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// The spans that are sent, and their kinds. No span has personal data; the others are of work that belongs to no trace.
const SPANS: [(&str, SpanKind); 7] = [
    ("request", SpanKind::Server),
    ("command", SpanKind::Internal),
    ("append", SpanKind::Internal),
    ("publish", SpanKind::Producer),
    ("block", SpanKind::Consumer),
    ("send", SpanKind::Consumer),
    ("provider_call", SpanKind::Client),
];

/// Sends spans until it is dropped, which sends those that wait.
#[derive(Debug)]
#[must_use = "dropping it ends the traces"]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Sends spans to the collector of `config`, from within a runtime.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn start(config: &TracesConfig) -> anyhow::Result<Self> {
        let exporter = Exporter { inner: otlp(&config.collector)?, failing: AtomicBool::new(false) };
        let batches = BatchConfigBuilder::default().with_max_queue_size(QUEUE).with_scheduled_delay(EXPORT_EVERY);
        let sampler = Sampler::parent_based(Sampler::TraceIdRatioBased(config.ratio));
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_resource(Resource::builder_empty().with_service_name("luci").with_attribute(version).build())
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches.build()).build())
            .build();
        Ok(Self(provider))
    }

    /// Takes the spans of `SPANS`, whatever lines the log has, and no log lines.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let tracer: SdkTracer = self.0.tracer("luci");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        let layer = layer.with_location(false).with_threads(false).with_target(false).with_tracked_inactivity(false);
        // Asked again for each span: a library that asks whether a line is enabled and writes none (sqlx, for each statement)
        // would otherwise leave "disabled" behind for the thread's next span.
        let filter = DynFilterFn::new(|metadata: &Metadata<'_>, _: &Context<'_, S>| is_sent(metadata));
        layer.with_filter(filter.with_callsite_filter(|metadata| match is_sent(metadata) {
            true => Interest::sometimes(),
            false => Interest::never(),
        }))
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(SHUTDOWN_TIMEOUT) {
            tracing::debug!(%error, "last spans not sent");
        }
    }
}

fn is_sent(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("luci") && kind(metadata.name()).is_some()
}

fn kind(name: &str) -> Option<SpanKind> {
    SPANS.iter().find(|(sent, _)| *sent == name).map(|(_, kind)| kind.clone())
}

fn otlp(collector: &str) -> anyhow::Result<opentelemetry_otlp::SpanExporter> {
    let http = reqwest::Client::builder().timeout(EXPORT_TIMEOUT).no_proxy().build()?;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(Client { http, runtime: Handle::current() })
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(EXPORT_TIMEOUT)
        .with_endpoint(format!("{collector}/v1/traces"))
        .build()?;
    Ok(exporter)
}

/// Sets each span's kind, and says when the collector does not take them.
#[derive(Debug)]
struct Exporter {
    inner: opentelemetry_otlp::SpanExporter,
    failing: AtomicBool,
}

impl SpanExporter for Exporter {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &mut batch {
            span.span_kind = kind(&span.name).unwrap_or(SpanKind::Internal);
        }
        let spans = batch.len() as u64;
        let result = self.inner.export(batch).await;
        let outcome = if result.is_ok() { "sent" } else { "lost" };
        metrics::counter!("luci_trace_spans_total", "outcome" => outcome).increment(spans);
        match (&result, self.failing.swap(result.is_err(), Ordering::Relaxed)) {
            // Once: the metric says how many more.
            (Err(error), false) => tracing::warn!(spans, %error, "traces not sent"),
            (Ok(()), true) => tracing::info!("traces sent again"),
            (Ok(()), false) | (Err(_), true) => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Posts from the thread of the exporter on the runtime of the process.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    runtime: Handle,
}

impl HttpClient for Client {
    // As `async_trait` expands it.
    fn send_bytes<'life0, 'async_trait>(
        &'life0 self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let http = self.http.clone();
        let sending = self.runtime.spawn(async move {
            let answer = http.execute(request.try_into()?).await?;
            let status = answer.status();
            let mut response = Response::new(answer.bytes().await?);
            *response.status_mut() = status;
            Ok(response)
        });
        Box::pin(async move { sending.await?.map_err(|error: reqwest::Error| error.without_url().into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_span_that_is_sent_has_a_kind() {
        assert_eq!(kind("provider_call"), Some(SpanKind::Client));
        assert_eq!(kind("clock_command"), None, "it would begin a trace of its own for work that belongs to another");
    }
}
