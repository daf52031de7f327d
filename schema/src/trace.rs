//! Trace contexts (W3C Trace Context, level 1): which request an event comes from, in the metadata of the event.
//!
//! The current context is that of OpenTelemetry: the innermost exported span or, where nothing is exported, what the caller
//! sent. `tracestate` is not kept: it is as long as its vendors like, and would be stored with each event.

use std::{fmt, str::FromStr};

use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    trace::{FutureExt as _, SpanContext, TraceContextExt as _, TraceState},
};
use serde::{Deserialize, Serialize};

use crate::{Recorded, actor::serde_as_text};

/// The name of the header, of the CloudEvents extension and of the field of an event's metadata.
pub const TRACEPARENT: &str = "traceparent";

/// A span as others continue it: `00-{32 hex}-{16 hex}-{flags}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: TraceId,
    span: SpanId,
    sampled: bool,
}

/// A text that is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent: 00-, 32 hexadecimal digits, -, 16 hexadecimal digits, -, 2 hexadecimal digits")]
pub struct NoTraceContext;

serde_as_text!(TraceContext);

impl TraceContext {
    /// The context that an append or a call is made in now.
    pub fn current() -> Option<Self> {
        Context::map_current(|context| Self::of(context.span().span_context()))
    }

    /// The value of a request's only `traceparent` header. As W3C asks, one that is invalid or repeated is ignored.
    pub fn of_header<'a>(mut values: impl Iterator<Item = &'a str>) -> Option<Self> {
        let only = values.next().filter(|_| values.next().is_none())?;
        only.trim().parse().ok()
    }

    fn of(span: &SpanContext) -> Option<Self> {
        let context = Self { trace: span.trace_id(), span: span.span_id(), sampled: span.is_sampled() };
        span.is_valid().then_some(context)
    }

    fn context(self) -> Context {
        let flags = TraceFlags::default().with_sampled(self.sampled);
        let span = SpanContext::new(self.trace, self.span, flags, true, TraceState::default());
        Context::new().with_remote_span_context(span)
    }
}

/// Does `work` as a part of this trace; without one, as a part of the current one.
pub fn continued<T: Future>(trace: Option<TraceContext>, work: T) -> impl Future<Output = T::Output> {
    work.with_context(trace.map_or_else(Context::current, TraceContext::context))
}

/// Begins something as a part of this trace: a span, whose end is elsewhere.
pub fn within<T>(trace: TraceContext, begin: impl FnOnce() -> T) -> T {
    let _attached = trace.context().attach();
    begin()
}

/// Keeps the current trace in a future that another task awaits.
pub fn in_current<T: Future>(work: T) -> impl Future<Output = T::Output> {
    work.with_current_context()
}

impl Recorded {
    /// The trace of the command that appended the event.
    pub fn trace(&self) -> Option<TraceContext> {
        #[derive(Deserialize)]
        struct Metadata {
            traceparent: Option<TraceContext>,
        }
        // Most metadata is `{}`.
        if !self.metadata.contains(TRACEPARENT) {
            return None;
        }
        serde_json::from_str::<Metadata>(&self.metadata).ok()?.traceparent
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

impl FromStr for TraceContext {
    type Err = NoTraceContext;

    /// A version after 00 may have more fields; 255 is none.
    fn from_str(text: &str) -> Result<Self, NoTraceContext> {
        let mut parts = text.splitn(5, '-');
        let mut part = |length| parts.next().filter(|part| is_hex(part, length)).ok_or(NoTraceContext);
        let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return Err(NoTraceContext);
        }
        let (trace, span) = (TraceId::from_hex(trace), SpanId::from_hex(span));
        let flags = u8::from_str_radix(flags, 16).map_err(|_| NoTraceContext)?;
        match (trace, span) {
            (Ok(trace), Ok(span)) if trace != TraceId::INVALID && span != SpanId::INVALID => {
                Ok(Self { trace, span, sampled: TraceFlags::new(flags).is_sampled() })
            }
            _ => Err(NoTraceContext),
        }
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn parse(text: &str) -> Option<String> {
        text.parse::<TraceContext>().ok().map(|context| context.to_string())
    }

    #[test]
    fn what_w3c_calls_valid_is_read_and_written_as_version_0() {
        assert_eq!(parse(TRACE).as_deref(), Some(TRACE));
        let unsampled = TRACE.replace("-01", "-00");
        assert_eq!(parse(&unsampled), Some(unsampled));
        // Other flags are not passed on; a later version may have more fields.
        assert_eq!(parse(&TRACE.replace("-01", "-ff")).as_deref(), Some(TRACE));
        assert_eq!(parse(&format!("cc{}-what-comes", &TRACE[2..])).as_deref(), Some(TRACE));
    }

    #[test]
    fn everything_else_is_ignored() {
        let zeros = |range: std::ops::Range<usize>| {
            let mut text = TRACE.to_owned();
            text.replace_range(range.clone(), &"0".repeat(range.len()));
            text
        };
        for invalid in [
            "",
            "00",
            &TRACE[..54],
            &format!("{TRACE}-"),
            &format!("ff{}", &TRACE[2..]),
            &format!("0{}", &TRACE[2..]),
            &TRACE.replace('b', "B"),
            &TRACE.replace('4', "g"),
            &TRACE.replace("-01", "-1"),
            &TRACE.replace('-', "_"),
            &TRACE.replace("4bf9", "é9"),
            &zeros(3..35),
            &zeros(36..52),
        ] {
            assert_eq!(parse(invalid), None, "{invalid}");
        }
    }

    #[test]
    fn a_request_with_two_contexts_has_none() {
        let header = |values: &[&'static str]| TraceContext::of_header(values.iter().copied());
        assert_eq!(header(&[TRACE]), TRACE.parse().ok());
        assert_eq!(header(&[" 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 "]), TRACE.parse().ok());
        assert_eq!((header(&[]), header(&[TRACE, TRACE]), header(&["john@example.com"])), (None, None, None));
    }

    #[tokio::test]
    async fn work_continues_the_trace_that_it_is_given_also_in_another_task() {
        let given: TraceContext = TRACE.parse().unwrap();
        let work = || async { TraceContext::current() };
        assert_eq!(work().await, None);
        assert_eq!(continued(None, work()).await, None);
        assert_eq!(continued(Some(given), work()).await, Some(given));
        let nested = continued(Some(given), async { tokio::spawn(in_current(work())).await.unwrap() });
        assert_eq!(nested.await, Some(given));
        assert_eq!(within(given, TraceContext::current), Some(given));
        assert_eq!(work().await, None, "it ends with the work");
    }
}
