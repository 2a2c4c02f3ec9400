//! Which pages of which origins may read answers (the Fetch standard's CORS protocol; registry-api.md §1.6).

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue};

/// What pages may read besides the headers that they always may.
const EXPOSED: &str = "Content-Type, Content-Length, Content-Encoding, ETag, Last-Modified, Cache-Control, \
     Cache-Status, Proxy-Status, Retry-After, Allow, MCP-Registry-Proxy, \
     X-Request-Id";

/// Whose pages may read answers.
#[derive(Debug)]
pub(super) enum Cors {
    Everyone,
    /// These origins; answers then depend on the request's.
    Only(Vec<HeaderValue>),
    /// Nobody's, and no answer says anything of it.
    Nobody,
}

impl Cors {
    pub(super) fn new(origins: &[String]) -> Self {
        if origins.iter().any(|origin| origin == "*") {
            return Self::Everyone;
        }
        Self::Only(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect())
    }

    /// The headers that every answer has. GitHub Copilot asks for these methods and headers on every answer, not
    /// only on preflights.
    pub(super) fn add_common(&self, headers: &mut HeaderMap) {
        if matches!(self, Self::Nobody) {
            return;
        }
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, OPTIONS"));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Authorization, Content-Type"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        match self {
            Self::Everyone => headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
            Self::Only(_) => headers.insert(VARY, HeaderValue::from_static("Origin")),
            Self::Nobody => None,
        };
    }

    /// Who may embed answers (the Fetch standard's `Cross-Origin-Resource-Policy`).
    pub(super) fn resource_policy(&self) -> HeaderValue {
        HeaderValue::from_static(if matches!(self, Self::Nobody) { "same-origin" } else { "cross-origin" })
    }

    /// What an answer that has codings varies by.
    pub(super) fn vary_with_accept_encoding(&self) -> &'static str {
        match self {
            Self::Everyone | Self::Nobody => "Accept-Encoding",
            Self::Only(_) => "Accept-Encoding, Origin",
        }
    }

    /// The headers of a preflight: a page may send whatever headers it likes, none of them means anything.
    pub(super) fn add_preflight(&self, request: &HeaderMap, response: &mut HeaderMap) {
        if matches!(self, Self::Nobody) {
            return;
        }
        response.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
        if let Some(asked) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            response.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        let vary = match self {
            Self::Everyone | Self::Nobody => "Access-Control-Request-Headers",
            Self::Only(_) => "Access-Control-Request-Headers, Origin",
        };
        response.insert(VARY, HeaderValue::from_static(vary));
    }

    /// Adds what depends on the request's origin, where that is restricted.
    pub(super) fn add_origin(&self, request: &HeaderMap, response: &mut HeaderMap) {
        if let Self::Only(origins) = self
            && let Some(origin) = request.get(ORIGIN).filter(|origin| origins.contains(origin))
        {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
    }
}
