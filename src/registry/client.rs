//! The HTTP client of registries: limits, credentials, redirects, and errors by kind. Retrying and
//! deciding what an answer means is somebody else's part.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, DATE, ETAG, IF_NONE_MATCH, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use tokio::time::Instant;
use url::Url;

use super::body::{self, IncomingBody};
use super::config::{HttpTarget, Token, bearer};
use super::connect::{Attempt, ConnectWatch};
use super::endpoint::public_url;
use super::error::{FetchError, Stage, is_want_of_descriptors, root_cause, seconds, tls_problem};
use super::gate::Pass;
use super::limits::Limits;
use super::lineage::{LINEAGE_HEADER, LineageWatch};
use super::network::{CONNECT_TIMEOUT, Network};
use super::probe::Teller;
use super::resolve::Resolver;
use super::revalidate::MAX_TAG_BYTES;
use crate::trace::{self, KeyValue, Span};

/// The most redirects that one request follows.
const MAX_REDIRECTS: usize = 3;
/// The largest file with a token.
const MAX_TOKEN_BYTES: u64 = 16 << 10;

/// A complete answer with status 200, or with 304 to a conditional request.
#[derive(Debug)]
pub(super) struct Answer {
    /// The body; none where it is still the one that the tag of the request stands for.
    pub(super) body: Option<Vec<u8>>,
    /// The tag of the body.
    pub(super) tag: Option<String>,
    /// When the registry answered, by its own clock.
    pub(super) date: Option<Timestamp>,
    /// Whether it says itself that its list is a part: a proxy like ours that has not asked all of its registries yet.
    pub(super) is_partial: bool,
}

/// The client of one registry.
pub(super) struct Client {
    target: HttpTarget,
    pages: reqwest::Client,
    /// Keeps no connections, so that every probe tests the whole way.
    probes: reqwest::Client,
    watch: ConnectWatch,
    resolver: Resolver,
    lineage: Arc<LineageWatch>,
    limits: Limits,
}

impl Client {
    pub(super) fn new(
        target: HttpTarget,
        limits: Limits,
        network: &Network,
        lineage: Arc<LineageWatch>,
    ) -> Result<Self, reqwest::Error> {
        let watch = ConnectWatch::default();
        let resolver = Resolver::new(target.endpoint.host());
        let builder = || network.builder().dns_resolver(resolver.clone());
        let pages = builder().pool_max_idle_per_host(1).build()?;
        let probes = builder().pool_max_idle_per_host(0).connector_layer(watch.clone()).build()?;
        Ok(Self { target, pages, probes, watch, resolver, lineage, limits })
    }

    /// Takes over where the name of the registry led, from the client of the one that this one replaces.
    pub(super) fn take_over(&self, predecessor: &Self) {
        self.resolver.take_over(&predecessor.resolver);
    }

    /// Fetches one page, unless it is still the one that this tag stands for.
    pub(super) async fn fetch(
        &self,
        url: &Url,
        tag: Option<&str>,
        timeout: Duration,
        pass: &mut Pass<'_>,
    ) -> Result<Answer, FetchError> {
        self.send(&self.pages, url, tag, self.limits, timeout, Some(pass)).await
    }

    /// Asks one question out of turn, within bounds of its own. It is one request and never more: a redirect is an
    /// error, for whoever counts questions would not know of the requests that follow it.
    pub(super) async fn ask(&self, url: &Url, limits: Limits, timeout: Duration) -> Result<Vec<u8>, FetchError> {
        let answer = self.send(&self.pages, url, None, limits, timeout, None).await?;
        // There is one: the request was not conditional.
        Ok(answer.body.unwrap_or_default())
    }

    /// Fetches over a new connection, and says how long connecting took: as soon as that is known, and in the end. A
    /// redirect leads to another connection, and only the last one counts.
    pub(super) async fn probe(
        &self,
        url: &Url,
        timeout: Duration,
        pass: &mut Pass<'_>,
        teller: &mut Teller<'_>,
    ) -> (Option<Duration>, Result<Answer, FetchError>) {
        self.watch.reset();
        let mut sending = pin!(self.send(&self.probes, url, None, self.limits, timeout, Some(pass)));
        let result = tokio::select! {
            biased;
            result = &mut sending => result,
            duration = self.watch.connected() => {
                teller.pass(Stage::Network, duration);
                sending.await
            }
        };
        match (self.watch.last_attempt(), result) {
            (Attempt::Connected(duration), result) => (Some(duration), result),
            (Attempt::Connecting, Err(FetchError::Timeout(duration))) => {
                let reason = format!("connecting took longer than {}", seconds(&duration));
                (None, Err(FetchError::Connect(reason)))
            }
            (_, result) => (None, result),
        }
    }

    /// Follows redirects as long as the pass lets it; without one, none.
    async fn send(
        &self,
        client: &reqwest::Client,
        url: &Url,
        tag: Option<&str>,
        limits: Limits,
        timeout: Duration,
        mut pass: Option<&mut Pass<'_>>,
    ) -> Result<Answer, FetchError> {
        let deadline = Instant::now() + timeout;
        let mut headers = self.headers().await?;
        let tag = tag.and_then(|tag| HeaderValue::from_str(tag).ok());
        let is_conditional = tag.is_some();
        headers.extend(tag.map(|tag| (IF_NONE_MATCH, tag)));
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let left = deadline.saturating_duration_since(Instant::now());
            let span = outgoing(&url);
            let mut headers = headers.clone();
            span.within(|| trace::tell(&mut headers));
            let exchange = async {
                let request = client.get(url.clone()).headers(headers).timeout(left);
                let response = request.send().await.map_err(|error| classify(&error, timeout))?;
                span.set("http.response.status_code", i64::from(response.status().as_u16()));
                if is_redirect(response.status()) {
                    return Ok(Exchanged::Redirected(response));
                }
                self.lineage.hear(response.status(), response.headers())?;
                read(response, is_conditional, limits, timeout).await.map(Exchanged::Answered)
            };
            let response = match exchange.await.inspect_err(|error| note_failure(&span, error))? {
                Exchanged::Answered(answer) => return Ok(answer),
                Exchanged::Redirected(response) => response,
            };
            let Some(pass) = pass.as_deref_mut() else {
                let advice = "a look-up, which follows none; configure the URL that it leads to";
                return Err(FetchError::Redirect(advice.to_owned()));
            };
            url = redirect_target(&url, response.headers())?;
            drop(response);
            pass.renew().await;
        }
        Err(FetchError::Redirect(format!("more than {MAX_REDIRECTS} times")))
    }

    /// The headers of a request. A token file is read every time: it may have changed.
    async fn headers(&self) -> Result<HeaderMap, FetchError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, application/problem+json;q=0.9"));
        headers.insert(ACCEPT_ENCODING, body::OFFERED);
        match &self.target.token {
            None => {}
            Some(Token::Value(token)) => {
                headers.extend(bearer(token.expose_secret()).map(|value| (AUTHORIZATION, value)));
            }
            Some(Token::File(path)) => {
                headers.insert(AUTHORIZATION, read_token(path).await?);
            }
        }
        for (name, value) in &self.target.headers {
            headers.insert(name, value.clone());
        }
        // By which another proxy like this one knows that it is not asked by a client.
        if let Some(own_id) = self.lineage.own_header() {
            headers.insert(LINEAGE_HEADER, own_id);
        }
        Ok(headers)
    }
}

/// What one request brought.
enum Exchanged {
    Answered(Answer),
    Redirected(reqwest::Response),
}

/// The span of one request that goes out. Neither userinfo nor query is in it.
fn outgoing(url: &Url) -> Span {
    Span::outgoing("GET", || {
        let port = url.port_or_known_default().map(|port| KeyValue::new("server.port", i64::from(port)));
        let mut attributes = vec![
            KeyValue::new("http.request.method", "GET"),
            trace::text("url.full", &public_url(url)),
            trace::text("server.address", url.host_str().unwrap_or_default()),
        ];
        attributes.extend(port);
        attributes
    })
}

fn note_failure(span: &Span, error: &FetchError) {
    let kind = match error {
        FetchError::Status { status, .. } => status.to_string(),
        FetchError::Timeout(_) => "timeout".to_owned(),
        error => error.stage().as_str().to_owned(),
    };
    span.set("error.type", kind);
    span.fail(|| error.to_string());
}

async fn read_token(path: &std::path::Path) -> Result<HeaderValue, FetchError> {
    let problem = |problem: String| FetchError::Secret(format!("the bearer_token_file {problem}"));
    let unreadable = |error: std::io::Error| {
        if is_want_of_descriptors(&error) {
            return FetchError::NoDescriptor;
        }
        problem(format!("cannot be read: {error}"))
    };
    let metadata = tokio::fs::metadata(path).await.map_err(unreadable)?;
    if metadata.len() > MAX_TOKEN_BYTES {
        return Err(problem(format!("has more than {MAX_TOKEN_BYTES} bytes")));
    }
    let text = tokio::fs::read_to_string(path).await.map_err(unreadable)?;
    bearer(&text).ok_or_else(|| problem("is empty or holds characters that a header cannot carry".to_owned()))
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect leads, if we follow it: to the same host name and port, or from http to https on the ports that
/// these have by default. So it never leads to another server, and credentials never leave the one they are for.
fn redirect_target(from: &Url, headers: &HeaderMap) -> Result<Url, FetchError> {
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let mut to = location
        .and_then(|location| from.join(location).ok())
        .ok_or_else(|| FetchError::Redirect("without a usable `Location`".to_owned()))?;
    if to.host_str() != from.host_str() {
        return Err(FetchError::Redirect(format!(
            "to another host, {}; configure that one if it is right",
            to.host_str().unwrap_or("none")
        )));
    }
    match (from.scheme(), to.scheme()) {
        ("http", "http" | "https") | ("https", "https") => {}
        (_, scheme) => return Err(FetchError::Redirect(format!("from {} to {scheme}", from.scheme()))),
    }
    let ports = (from.port_or_known_default(), to.port_or_known_default());
    if ports.0 != ports.1 && (ports, to.scheme()) != ((Some(80), Some(443)), "https") {
        let port = ports.1.unwrap_or_default();
        return Err(FetchError::Redirect(format!("to another port, {port}; configure that one if it is right")));
    }
    if to.username().is_empty() && to.password().is_none() {
        // The credentials are for this host, which is the one that we were sent to.
        let _ = to.set_username(from.username());
        let _ = to.set_password(from.password());
    }
    Ok(to)
}

async fn read(
    mut response: reqwest::Response,
    is_conditional: bool,
    limits: Limits,
    timeout: Duration,
) -> Result<Answer, FetchError> {
    let status = response.status();
    let (date, is_partial) = (date(response.headers()), is_partial(response.headers()));
    let tag = tag(response.headers());
    if status == StatusCode::NOT_MODIFIED && is_conditional {
        return Ok(Answer { body: None, tag, date, is_partial });
    }
    if status != StatusCode::OK {
        let retry_after = retry_after(response.headers(), SystemTime::now());
        return Err(FetchError::Status { status: status.as_u16(), retry_after });
    }
    let mut body = IncomingBody::new(response.headers(), limits)?;
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error, timeout))? {
        body.push(&chunk)?;
    }
    Ok(Answer { body: Some(body.finish()?), tag, date, is_partial })
}

/// Reads the mark that `serve` puts on lists before it is ready (RFC 9211, `detail`).
fn is_partial(headers: &HeaderMap) -> bool {
    let values = headers.get_all("cache-status").iter().filter_map(|value| value.to_str().ok());
    let mut members = values.flat_map(|value| value.split(','));
    members.any(|member| {
        let mut parts = member.split(';').map(str::trim);
        parts.next() == Some("mcp-registry-proxy") && parts.any(|part| part == "detail=partial")
    })
}

fn tag(headers: &HeaderMap) -> Option<String> {
    let tag = headers.get(ETAG)?.to_str().ok()?;
    (!tag.is_empty() && tag.len() <= MAX_TAG_BYTES).then(|| tag.to_owned())
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    Timestamp::try_from(date).ok()
}

/// `Retry-After` in seconds or as a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits for a number still mean "very long".
        return Some(Duration::from_secs(text.parse().unwrap_or(u32::MAX.into())));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

pub(super) fn classify(error: &reqwest::Error, timeout: Duration) -> FetchError {
    if is_want_of_descriptors(error) {
        return FetchError::NoDescriptor;
    }
    if error.is_connect() {
        if error.is_timeout() {
            return FetchError::Connect(format!("connecting took longer than {} s", CONNECT_TIMEOUT.as_secs()));
        }
        return FetchError::Connect(tls_problem(error).unwrap_or_else(|| root_cause(error)));
    }
    if error.is_timeout() {
        return FetchError::Timeout(timeout);
    }
    if let Some(problem) = tls_problem(error) {
        return FetchError::Connect(problem);
    }
    FetchError::Interrupted(root_cause(error))
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
