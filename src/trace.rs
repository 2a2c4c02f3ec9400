//! Spans for OpenTelemetry: what was done for a request, for a walk, for a test of a registry, and which requests went
//! out for it. Off unless somebody turns it on, and then a span is nothing, and costs nothing but to see that.
//!
//! Like the log's, there is one receiver of spans in a process, which `app` sets; where spans go from there,
//! `telemetry` knows. What follows from what travels with the task (`opentelemetry::Context`); between processes it
//! travels as W3C Trace Context, and nothing else does: no baggage.

use std::sync::OnceLock;
use std::time::SystemTime;

use http::{HeaderMap, HeaderName};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{FutureExt as _, SpanKind, Status, TraceContextExt as _, Tracer as _};
pub use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracer;

/// The longest text that a span holds, in bytes: registries and clients have a part in some.
const MAX_TEXT_BYTES: usize = 1_024;
/// The longest `tracestate` that goes on to registries, in bytes: as long as everybody has to take it (W3C Trace Context
/// §3.3.1.5). Whoever asks us writes it, and what goes out shall not grow with that.
const MAX_STATE_BYTES: usize = 512;
const STATE: HeaderName = HeaderName::from_static("tracestate");

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Lets spans be made from now on, for this one. A process does that once.
pub fn turn_on(tracer: SdkTracer) {
    // A second one would only find the first.
    let _ = TRACER.set(tracer);
}

/// Whether spans are made.
pub fn is_on() -> bool {
    TRACER.get().is_some()
}

/// One thing that is done, from its making until it is dropped; nothing while tracing is off.
#[derive(Debug)]
pub struct Span(Option<Context>);

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(context) = &self.0 {
            context.span().end();
        }
    }
}

impl Span {
    /// Something that nothing else caused. Attributes are only made where tracing is on, here as everywhere.
    pub fn root(name: &'static str, attributes: impl FnOnce() -> Vec<KeyValue>) -> Self {
        Self::start(name, SpanKind::Internal, Context::new, attributes)
    }

    /// A part of what is being done now.
    pub fn part(name: &'static str, attributes: impl FnOnce() -> Vec<KeyValue>) -> Self {
        Self::start(name, SpanKind::Internal, Context::current, attributes)
    }

    /// A part of something that is done elsewhere.
    pub fn part_of(parent: Parent, name: &'static str, attributes: impl FnOnce() -> Vec<KeyValue>) -> Self {
        Self::start(name, SpanKind::Internal, || parent.0.unwrap_or_default(), attributes)
    }

    /// A request that goes out.
    pub fn outgoing(name: &'static str, attributes: impl FnOnce() -> Vec<KeyValue>) -> Self {
        Self::start(name, SpanKind::Client, Context::current, attributes)
    }

    /// A request that came in, a part of what its sender does, if it says of what.
    pub fn incoming(name: &'static str, headers: &HeaderMap, attributes: impl FnOnce() -> Vec<KeyValue>) -> Self {
        let sender = || TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
        Self::start(name, SpanKind::Server, sender, attributes)
    }

    fn start(
        name: &'static str,
        kind: SpanKind,
        parent: impl FnOnce() -> Context,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let parent = parent();
        let builder =
            tracer.span_builder(name).with_kind(kind).with_start_time(SystemTime::now()).with_attributes(attributes());
        Self(Some(parent.with_span(tracer.build_with_context(builder, &parent))))
    }

    /// Does something as a part of this.
    pub async fn run<T>(&self, doing: impl Future<Output = T>) -> T {
        match &self.0 {
            // In a box, so that nobody carries it twice who needs neither.
            Some(context) => Box::pin(doing).with_context(context.clone()).await,
            None => doing.await,
        }
    }

    /// The same for what need not wait.
    pub fn within<T>(&self, doing: impl FnOnce() -> T) -> T {
        let _attached = self.0.clone().map(Context::attach);
        doing()
    }

    /// What parts that are made elsewhere are a part of.
    pub fn as_parent(&self) -> Parent {
        Parent(self.0.clone())
    }

    /// Says something of it that was not known when it began.
    pub fn set(&self, key: &'static str, value: impl Into<Value>) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(KeyValue::new(key, value));
        }
    }

    /// Gives it another name.
    pub fn rename(&self, name: impl FnOnce() -> String) {
        if let Some(context) = &self.0 {
            context.span().update_name(name());
        }
    }

    /// Says that it failed, and why.
    pub fn fail(&self, reason: impl FnOnce() -> String) {
        if let Some(context) = &self.0 {
            context.span().set_status(Status::error(bounded(&reason())));
        }
    }
}

/// What something is a part of; nothing while tracing is off.
#[derive(Clone, Debug, Default)]
pub struct Parent(Option<Context>);

impl Parent {
    /// What is being done now.
    pub fn current() -> Self {
        Self(is_on().then(Context::current))
    }

    /// Does something as a part of it, on whatever task.
    pub async fn run<T>(self, doing: impl Future<Output = T>) -> T {
        match self.0 {
            Some(context) => Box::pin(doing).with_context(context).await,
            None => doing.await,
        }
    }
}

/// Lets something that becomes a task of its own be a part of what is being done now.
pub fn carried<T>(doing: impl Future<Output = T>) -> impl Future<Output = T> {
    Parent::current().run(doing)
}

/// Tells whoever gets these headers what the request is a part of. While tracing is off it adds nothing.
pub fn tell(headers: &mut HeaderMap) {
    if is_on() {
        write(&Context::current(), headers);
    }
}

fn write(context: &Context, headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(context, &mut HeaderInjector(headers));
    // Without it, the trace goes on all the same.
    if headers.get(STATE).is_some_and(|state| state.is_empty() || MAX_STATE_BYTES < state.len()) {
        headers.remove(STATE);
    }
}

/// An attribute whose value others have a part in.
pub fn text(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, bounded(value))
}

fn bounded(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_TEXT_BYTES)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[tokio::test]
    async fn while_tracing_is_off_nothing_is_made_and_nothing_is_told() {
        let never = || -> Vec<KeyValue> { panic!("nobody reads them") };
        let span = Span::root("test", never);
        let part = span.run(async { Span::outgoing("part", never) }).await;
        part.fail(|| panic!("nobody reads it"));
        let mut headers = HeaderMap::new();
        part.within(|| tell(&mut headers));
        assert!(headers.is_empty());
        assert_eq!(carried(async { 1 }).await, 1);
        assert!(span.0.is_none() && part.as_parent().0.is_none());
    }

    #[test]
    fn what_senders_add_to_a_trace_goes_on_within_a_bound() {
        let told = |state: &str| {
            let mut sent = HeaderMap::new();
            sent.insert(
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().expect("a value"),
            );
            sent.insert(STATE, state.parse().expect("a value"));
            let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(&sent));
            let mut headers = HeaderMap::new();
            write(&context, &mut headers);
            assert_eq!(headers.get("traceparent"), sent.get("traceparent"));
            headers.get(STATE).map(HeaderValue::len)
        };
        let members = format!("a={},b={}", "x".repeat(200), "y".repeat(200));
        let of_length = |length: usize| format!("{members},c={}", "z".repeat(length - members.len() - 3));
        assert_eq!(told("a=1"), Some(3));
        assert_eq!(told(&of_length(MAX_STATE_BYTES)), Some(MAX_STATE_BYTES));
        assert_eq!(told(&of_length(MAX_STATE_BYTES + 1)), None);
    }

    #[test]
    fn texts_have_a_bound() {
        assert_eq!(bounded(&"ä".repeat(MAX_TEXT_BYTES)).len(), MAX_TEXT_BYTES);
        assert_eq!(bounded("short"), "short");
    }
}
