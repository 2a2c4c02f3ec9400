//! From a representation, a body or a problem to an HTTP response, headers included.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, HeaderName, LAST_MODIFIED, REFERRER_POLICY, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use jiff::Timestamp;

use super::Body;
use super::cache::Origin;
use super::coding::Coding;
use super::cors::Cors;
use super::error::Problem;
use super::freshness::Freshness;
use super::pages::{HTML, POLICY};
use super::read_through::Source;
use super::representation::Representation;

/// How the admin listener asks for its token; browsers know Basic.
const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"mcp-registry-proxy\", charset=\"UTF-8\"");
const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"mcp-registry-proxy\"");
/// How long a client should wait after a 503: about as long as the next test of a registry takes to come.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("10");
/// The same where too much is being answered: that is over soon.
const RETRY_SOON_SECONDS: HeaderValue = HeaderValue::from_static("1");
/// How long caches may serve an answer while they ask for a new one, and while they cannot get one, in seconds.
const STALE_WHILE_REVALIDATE: u64 = 300;
const STALE_IF_ERROR: u64 = 86_400;
/// How long, at most, clients may keep an answer that holds what its registry no longer confirms or that one more
/// registry may have had a part in, that a server is not listed, and that there is no such route, in seconds.
const STALE_MAX_AGE: u64 = 5;
const NOT_LISTED_MAX_AGE: u64 = 30;
const NOT_FOUND_MAX_AGE: u64 = 10;

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
/// Holds the place of a value.
const NOTHING: HeaderValue = HeaderValue::from_static("");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// What `registry::client` of another proxy looks for: a walk must not take a part for the whole.
const PARTIAL: HeaderValue = HeaderValue::from_static("mcp-registry-proxy; hit; detail=partial");
/// RFC 9211.
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Whether caches between us and the client may keep answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// They may.
    Public,
    /// They may not: the catalog holds what only credentials brought, and whoever reaches this listener sees it.
    Private,
}

impl Visibility {
    fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }
}

/// A representation as it is answered.
#[derive(Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) representation: &'a Representation,
    pub(super) coding: Coding,
    pub(super) origin: Origin,
    pub(super) freshness: &'a Freshness,
}

/// How responses are dressed; made once.
#[derive(Debug)]
pub(super) struct Responder {
    cors: Cors,
    /// What every response has.
    common: HeaderMap,
    max_age: u64,
    fresh: HeaderValue,
    stale: HeaderValue,
    not_found: HeaderValue,
    not_listed: HeaderValue,
    unsure: HeaderValue,
    vary: HeaderValue,
    from_memory: HeaderValue,
    rendered: HeaderValue,
}

impl Responder {
    pub(super) fn new(cors: Cors, max_age: Duration, visibility: Visibility) -> Self {
        let mut common = HeaderMap::new();
        common.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        common.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
        common.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        common.insert(CROSS_ORIGIN_RESOURCE_POLICY, cors.resource_policy());
        cors.add_common(&mut common);
        let max_age = max_age.as_secs();
        let who = visibility.as_str();
        let reuse = format!("stale-while-revalidate={STALE_WHILE_REVALIDATE}, stale-if-error={STALE_IF_ERROR}");
        let status = format!("mcp-registry-proxy; hit; ttl={max_age}");
        Self {
            vary: HeaderValue::from_static(cors.vary_with_accept_encoding()),
            cors,
            common,
            max_age,
            fresh: header(&format!("{who}, max-age={max_age}, {reuse}")),
            stale: header(&format!("{who}, max-age={}, {reuse}", max_age.min(STALE_MAX_AGE))),
            not_found: header(&format!("{who}, max-age={}", max_age.min(NOT_FOUND_MAX_AGE))),
            not_listed: header(&format!("{who}, max-age={}", max_age.min(NOT_LISTED_MAX_AGE))),
            unsure: header(&format!("{who}, max-age={}", max_age.min(STALE_MAX_AGE))),
            from_memory: header(&status),
            rendered: header(&format!("{status}; detail=rendered")),
        }
    }

    /// The headers that answers out of one catalog have in common, for a 200 in this coding, or for a 304. Those that
    /// each answer has of its own have their places.
    pub(super) fn head(&self, freshness: &Freshness, coding: Option<Coding>) -> HeaderMap {
        let mut headers = self.common.clone();
        let (cache_control, cache_status) = match freshness {
            Freshness { is_partial: true, .. } => (NO_STORE, PARTIAL),
            Freshness { stale_since: Some(_), .. } => (self.stale.clone(), NOTHING),
            _ => (self.fresh.clone(), self.from_memory.clone()),
        };
        headers.insert(CACHE_CONTROL, cache_control);
        headers.insert(CACHE_STATUS, cache_status);
        headers.insert(VARY, self.vary.clone());
        headers.insert(ETAG, NOTHING);
        headers.insert(LAST_MODIFIED, NOTHING);
        if let Some(coding) = coding {
            headers.insert(CONTENT_TYPE, JSON);
            headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
            if coding != Coding::Identity {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
            }
        }
        headers
    }

    /// A 200 that clients may keep; `body` is the representation's in the answer's coding.
    pub(super) fn represented(&self, answer: Answer<'_>, body: Bytes) -> Response<Body> {
        let mut response = self.reusable(answer, answer.freshness.head_of(answer.coding), body);
        if answer.representation.content_type != JSON {
            response.headers_mut().insert(CONTENT_TYPE, answer.representation.content_type.clone());
        }
        response
    }

    /// A 304: what a cache needs in order to go on with what it has (RFC 9110 §15.4.5).
    pub(super) fn not_modified(&self, answer: Answer<'_>) -> Response<Body> {
        let mut response = self.reusable(answer, answer.freshness.head_of_not_modified(), Bytes::new());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    }

    /// What a 200 and a 304 have in common: a cache replaces the one's by the other's (RFC 9111 §3.2).
    fn reusable(&self, answer: Answer<'_>, head: &HeaderMap, body: Bytes) -> Response<Body> {
        let Answer { representation, coding, origin, freshness } = answer;
        let mut response = Response::new(Body::new(body));
        *response.headers_mut() = head.clone();
        let headers = response.headers_mut();
        match (freshness, origin) {
            (_, Origin::ReadThrough { source, is_whole }) => {
                headers.insert(CACHE_CONTROL, self.read_through_control(freshness, is_whole));
                headers.insert(CACHE_STATUS, read_through_status(source));
            }
            (Freshness { is_partial: true, .. }, _) => {}
            (Freshness { stale_since: Some(since), .. }, _) => {
                headers.insert(CACHE_STATUS, self.stale_status(*since));
            }
            (_, Origin::Rendered) => {
                headers.insert(CACHE_STATUS, self.rendered.clone());
            }
            (_, Origin::Memory) => {}
        }
        if let Some(policy) = &representation.policy {
            headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
        }
        if let Some(header) = &representation.varies_by {
            headers.append(VARY, header.clone());
        }
        headers.insert(ETAG, representation.entity_tag(coding));
        headers.insert(LAST_MODIFIED, representation.last_modified(SystemTime::now()));
        response
    }

    /// What registries were asked for may be kept as long as that it is not listed: soon the catalog knows better. Sooner
    /// yet, where one of them has not answered, that one may.
    fn read_through_control(&self, freshness: &Freshness, is_whole: bool) -> HeaderValue {
        match (freshness.is_partial, is_whole) {
            (true, _) => NO_STORE,
            (false, true) => self.not_listed.clone(),
            (false, false) => self.unsure.clone(),
        }
    }

    /// How long ago what is served stale should have been confirmed.
    fn stale_status(&self, since: Timestamp) -> HeaderValue {
        let age = u64::try_from(Timestamp::now().as_second() - since.as_second()).unwrap_or_default();
        let overdue = age.saturating_sub(self.max_age).max(1);
        header(&format!("mcp-registry-proxy; hit; ttl=-{overdue}; detail=stale"))
    }

    /// A 200 that is true only now.
    pub(super) fn momentary(&self, body: impl Into<Bytes>) -> Response<Body> {
        let mut response = self.respond(StatusCode::OK, body.into());
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        response
    }

    /// An answer of a protocol that is spoken over ours, and has errors of its own: true only now.
    pub(super) fn spoken(&self, status: StatusCode, body: Option<Bytes>) -> Response<Body> {
        let is_said = body.is_some();
        let mut response = self.respond(status, body.unwrap_or_default());
        if is_said {
            response.headers_mut().insert(CONTENT_TYPE, JSON);
        }
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        response
    }

    /// The same for a page.
    pub(super) fn momentary_page(&self, page: String) -> Response<Body> {
        let mut response = self.momentary(page);
        response.headers_mut().insert(CONTENT_TYPE, HTML);
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
        response
    }

    /// A problem of a page, which is told as a page or not, by what the client accepts.
    pub(super) fn of_page(mut problem: Response<Body>, page: Option<String>) -> Response<Body> {
        if let Some(page) = page {
            problem = problem.map(|_| Body::new(page.into()));
            problem.headers_mut().insert(CONTENT_TYPE, HTML);
            problem.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
        }
        problem.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
        problem
    }

    /// A 200 whose body goes on while it is sent.
    pub(super) fn streaming(&self, content_type: HeaderValue, body: Body) -> Response<Body> {
        let mut response = self.respond(StatusCode::OK, Bytes::new()).map(|_| body);
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        response.headers_mut().insert(VARY, self.vary.clone());
        response
    }

    /// The answer to `OPTIONS`, preflight or not.
    pub(super) fn options(&self, request: &HeaderMap, allow: &str) -> Response<Body> {
        let mut response = self.respond(StatusCode::NO_CONTENT, Bytes::new());
        self.cors.add_preflight(request, response.headers_mut());
        response.headers_mut().insert(ALLOW, header(allow));
        response
    }

    /// A problem.
    pub(super) fn problem(&self, problem: &Problem) -> Response<Body> {
        let mut response = self.respond(problem.status(), problem.body().into());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM);
        headers.insert(CACHE_CONTROL, NO_STORE);
        match problem {
            Problem::MethodNotAllowed { allow } => {
                headers.insert(ALLOW, header(allow));
            }
            Problem::UnsupportedMediaType { taken } => {
                let names: Vec<&str> = taken.iter().map(|media| media.name()).collect();
                headers.insert(ACCEPT, header(&names.join(", ")));
            }
            // RFC 9110 §12.5.3.
            Problem::EncodedContent => {
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            }
            Problem::Unauthorized => {
                // A line each: Chromium takes a line for one challenge, and asks nobody where the first is not its.
                headers.insert(WWW_AUTHENTICATE, BASIC);
                headers.append(WWW_AUTHENTICATE, BEARER);
            }
            Problem::NotFound(_) => {
                headers.insert(CACHE_CONTROL, self.not_found.clone());
            }
            Problem::NotListed => {
                headers.insert(CACHE_CONTROL, self.not_listed.clone());
            }
            Problem::NotAcceptable => {
                headers.insert(VARY, self.vary.clone());
            }
            Problem::Unavailable(_) => {
                headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
            }
            Problem::Overloaded => {
                headers.insert(RETRY_AFTER, RETRY_SOON_SECONDS);
            }
            _ => {}
        }
        response
    }

    fn respond(&self, status: StatusCode, body: Bytes) -> Response<Body> {
        let mut response = Response::new(Body::new(body));
        *response.status_mut() = status;
        *response.headers_mut() = self.common.clone();
        response
    }

    /// Adds what depends on the request's origin, where that is restricted.
    pub(super) fn allow_origin(&self, request: &HeaderMap, response: &mut HeaderMap) {
        self.cors.add_origin(request, response);
    }
}

/// RFC 9211 §2.
fn read_through_status(source: Source) -> HeaderValue {
    match source {
        Source::Fetched { is_stored: true } => {
            HeaderValue::from_static("mcp-registry-proxy; fwd=miss; fwd-status=200; stored")
        }
        Source::Fetched { is_stored: false } => {
            HeaderValue::from_static("mcp-registry-proxy; fwd=miss; fwd-status=200")
        }
        Source::Collapsed => HeaderValue::from_static("mcp-registry-proxy; fwd=miss; fwd-status=200; collapsed"),
        Source::Remembered { seconds_left } => {
            header(&format!("mcp-registry-proxy; hit; ttl={seconds_left}; detail=read-through"))
        }
    }
}

pub(super) fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("words and numbers of ours make a header")
}
