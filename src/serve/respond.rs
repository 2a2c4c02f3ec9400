//! From a body or a problem to an HTTP response, headers included.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, ORIGIN, RETRY_AFTER,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::Body;
use super::error::Problem;

/// How long a client should wait after a 503: about as long as the next test of a registry takes to come.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("10");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// How responses are dressed; made once.
#[derive(Debug)]
pub(super) struct Responder {
    cors: Cors,
    cache_control: HeaderValue,
}

#[derive(Debug)]
enum Cors {
    Everyone,
    /// These origins; answers then depend on the request's.
    Only(Vec<HeaderValue>),
}

/// Whether caches between us and the client may keep answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// They may.
    Public,
    /// They may not: the catalog holds what only credentials brought, and whoever reaches this listener sees it.
    Private,
}

impl Responder {
    pub(super) fn new(origins: &[String], max_age: Duration, visibility: Visibility) -> Self {
        let cors = if origins.iter().any(|origin| origin == "*") {
            Cors::Everyone
        } else {
            Cors::Only(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect())
        };
        let visibility = match visibility {
            Visibility::Public => "public",
            Visibility::Private => "private",
        };
        let cache_control = HeaderValue::from_str(&format!("{visibility}, max-age={}", max_age.as_secs()))
            .expect("a word and a number make a header");
        Self { cors, cache_control }
    }

    /// A 200 that clients may keep.
    pub(super) fn cacheable(&self, body: Bytes) -> Response<Body> {
        self.respond(StatusCode::OK, body, [(CONTENT_TYPE, JSON), (CACHE_CONTROL, self.cache_control.clone())])
    }

    /// A 200 that is true only now.
    pub(super) fn momentary(&self, body: impl Into<Bytes>) -> Response<Body> {
        self.respond(StatusCode::OK, body.into(), [(CONTENT_TYPE, JSON), (CACHE_CONTROL, NO_STORE)])
    }

    /// The answer to `OPTIONS`.
    pub(super) fn preflight(&self) -> Response<Body> {
        let max_age = HeaderValue::from_static("86400");
        self.respond(StatusCode::NO_CONTENT, Bytes::new(), [(ACCESS_CONTROL_MAX_AGE, max_age)])
    }

    /// A problem.
    pub(super) fn problem(&self, problem: &Problem) -> Response<Body> {
        let mut headers = vec![(CONTENT_TYPE, PROBLEM), (CACHE_CONTROL, NO_STORE)];
        match problem {
            Problem::MethodNotAllowed { allow } => {
                headers.extend(HeaderValue::from_str(allow).ok().map(|allow| (ALLOW, allow)));
            }
            Problem::Unavailable(_) => headers.push((RETRY_AFTER, RETRY_AFTER_SECONDS)),
            _ => {}
        }
        self.respond(problem.status(), problem.body().into(), headers)
    }

    fn respond(
        &self,
        status: StatusCode,
        body: Bytes,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    ) -> Response<Body> {
        let mut response = Response::new(Body::new(body));
        *response.status_mut() = status;
        let all = response.headers_mut();
        all.extend(headers);
        all.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // GitHub Copilot asks for these on every answer (registry-api.md §1.6), not only on preflights.
        all.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, OPTIONS"));
        all.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Authorization, Content-Type"));
        all.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("Content-Type, Content-Length, Retry-After"),
        );
        if let Cors::Everyone = self.cors {
            all.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        response
    }

    /// Adds what depends on the request's origin, where that is restricted.
    pub(super) fn allow_origin(&self, request: &HeaderMap, response: &mut HeaderMap) {
        if let Cors::Only(origins) = &self.cors {
            response.insert(VARY, HeaderValue::from_static("Origin"));
            if let Some(origin) = request.get(ORIGIN).filter(|origin| origins.contains(origin)) {
                response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            }
        }
    }
}
