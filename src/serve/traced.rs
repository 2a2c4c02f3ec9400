//! What a trace says of a request that came in, by OpenTelemetry's conventions for HTTP. While tracing is off, nothing
//! here does more than to see that an answer has no span.

use std::sync::Arc;

use http::header::{HOST, USER_AGENT};
use http::request::Parts;
use http::{Response, Version};

use super::Body;
use super::note::{Note, RouteName};
use crate::trace::{self, KeyValue, Span};

/// What is asked every few seconds by who watches over the process, and says nothing.
const UNTRACED: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Begins the span of a request; none for what nobody wants to see. Neither its query nor any credential is in it.
pub(super) fn begin(request: &Parts) -> Option<Span> {
    let path = request.uri.path();
    if UNTRACED.contains(&path) {
        return None;
    }
    let attributes = || {
        let header = |name| request.headers.get(name).and_then(|value| value.to_str().ok());
        let version = match request.version {
            Version::HTTP_10 => "1.0",
            Version::HTTP_2 => "2",
            _ => "1.1",
        };
        let mut attributes = vec![
            trace::text("http.request.method", method(request)),
            trace::text("url.path", path),
            KeyValue::new("network.protocol.version", version),
        ];
        let host = header(HOST).or_else(|| request.uri.authority().map(http::uri::Authority::as_str));
        attributes.extend(host.map(|host| trace::text("server.address", without_port(host))));
        attributes.extend(header(USER_AGENT).map(|agent| trace::text("user_agent.original", agent)));
        attributes
    };
    Some(Span::incoming("HTTP", &request.headers, attributes))
}

/// The span of a request that is being answered. It travels with the answer, among its extensions: what is answered in
/// the end, only the connection knows.
#[derive(Clone, Debug)]
pub(super) struct Traced {
    span: Arc<Span>,
    method: &'static str,
}

impl Traced {
    pub(super) fn new(span: Span, method: &'static str) -> Self {
        Self { span: Arc::new(span), method }
    }

    /// Lets a span travel with an answer.
    pub(super) fn attach(self, response: &mut Response<Body>) {
        response.extensions_mut().insert(self);
    }

    /// Lets a span travel with another answer in place of the one that it travels with.
    pub(super) fn hand_over(from: &mut Response<Body>, to: &mut Response<Body>) {
        if let Some(traced) = from.extensions_mut().remove::<Self>() {
            traced.attach(to);
        }
    }

    /// Ends the span of an answer, if it has one, with what is answered.
    pub(super) fn end(response: &mut Response<Body>, note: &Note) {
        if let Some(Self { span, method }) = response.extensions_mut().remove() {
            end(&span, method, response, note);
        }
    }
}

#[cold]
fn end(span: &Span, method: &str, response: &Response<Body>, note: &Note) {
    let status = response.status();
    if note.route == RouteName::Other {
        span.rename(|| method.to_owned());
    } else {
        span.set("http.route", note.route.as_str());
        span.rename(|| format!("{method} {}", note.route.as_str()));
    }
    span.set("http.response.status_code", i64::from(status.as_u16()));
    span.set("mcp_registry_proxy.cache", note.cache.as_str());
    if let Some(id) = response.headers().get(super::note::REQUEST_ID).and_then(|id| id.to_str().ok()) {
        span.set("mcp_registry_proxy.request_id", id.to_owned());
    }
    // What the client did wrong is no fault of the server (the conventions say so).
    if status.is_server_error() {
        span.set("error.type", status.as_str().to_owned());
        span.fail(|| status.canonical_reason().unwrap_or_default().to_owned());
    }
}

/// A method as it may stand in a name: of those that nobody knows there may be any number.
pub(super) fn method(request: &Parts) -> &'static str {
    match request.method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}
