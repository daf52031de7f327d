//! A collector in this process: takes OTLP over HTTP as protobuf, and keeps the spans.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value, trace::v1::span::SpanKind,
};
use prost::Message;
use tokio_util::task::AbortOnDropHandle;
use warp::Filter;

/// A span, as a collector's reader sees it.
#[derive(Debug, Clone)]
pub struct Span {
    pub name: String,
    pub kind: SpanKind,
    /// In hexadecimal, as all ids; empty for the first span of a trace.
    pub parent: String,
    pub id: String,
    pub trace: String,
    pub attributes: Vec<(String, String)>,
}

impl Span {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

pub struct Collector {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<Span>>>,
    _server: AbortOnDropHandle<()>,
}

impl Collector {
    pub async fn start() -> Self {
        let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
        let received = Arc::clone(&spans);
        let take = warp::post().and(warp::path!("v1" / "traces")).and(warp::body::bytes()).map(move |body: Bytes| {
            received.lock().expect("not poisoned").extend(decode(body));
            warp::reply::with_header(Vec::new(), "content-type", "application/x-protobuf")
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let server = tokio::spawn(warp::serve(take).incoming(listener).run());
        Self { address, spans, _server: AbortOnDropHandle::new(server) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has received so far.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().expect("not poisoned").clone()
    }
}

fn decode(body: Bytes) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).expect("a request of OTLP");
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    let spans = scopes.flat_map(|scope| scope.spans);
    spans
        .map(|span| Span {
            kind: span.kind(),
            attributes: span.attributes.iter().map(|pair| (pair.key.clone(), text(pair))).collect(),
            name: span.name,
            parent: hex::encode(span.parent_span_id),
            id: hex::encode(span.span_id),
            trace: hex::encode(span.trace_id),
        })
        .collect()
}

fn text(pair: &opentelemetry_proto::tonic::common::v1::KeyValue) -> String {
    match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}
