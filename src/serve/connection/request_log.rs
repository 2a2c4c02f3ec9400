//! The line that the log has of each request at `debug`. While that level is off, nothing of it is made.

use std::net::SocketAddr;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Method, Response};
use hyper::body::Body as _;
use tracing::Level;

use super::super::Body;
use super::super::note::sent_id;
use super::super::traffic::Answered;

/// The longest path that is logged, in bytes.
const MAX_PATH_BYTES: usize = 512;

/// What is to be said of a request once it is over. No query and no header but the id: those may hold secrets.
#[derive(Debug)]
pub(super) struct Line {
    method: Method,
    path: String,
    request_id: Option<HeaderValue>,
    client: Option<SocketAddr>,
    /// How long the answer's body is; none where it is made while it is sent.
    bytes: Option<u64>,
}

impl Line {
    /// The beginning of a line, where there is to be one.
    pub(super) fn begin(request: &Parts, client: Option<SocketAddr>) -> Option<Box<Self>> {
        if !tracing::enabled!(Level::DEBUG) {
            return None;
        }
        let mut path = request.uri.path().to_owned();
        path.truncate(path.floor_char_boundary(MAX_PATH_BYTES));
        let request_id = sent_id(&request.headers).cloned();
        Some(Box::new(Self { method: request.method.clone(), path, request_id, client, bytes: None }))
    }

    /// Notes what is answered.
    pub(super) fn note(&mut self, answered: &mut Answered, response: &Response<Body>) {
        self.bytes = response.body().size_hint().exact();
        let request_id = self.request_id.take();
        // Where the client sent none, the one that its answer has, or would have.
        self.request_id = Some(request_id.unwrap_or_else(|| answered.note.request_id(&http::HeaderMap::new())));
    }

    /// Says it. Without an answer, the client went away before there was one.
    pub(super) fn end(&self, answered: Option<&Answered>, took: Duration) {
        let Self { method, path, request_id, client, bytes } = self;
        let request_id = request_id.as_ref().and_then(|id| id.to_str().ok());
        let client = client.map(tracing::field::display);
        let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let Some(answered) = answered else {
            tracing::debug!(%method, path, request_id, client, duration_us, "request abandoned");
            return;
        };
        let (route, cache) = (answered.note.route.as_str(), answered.note.cache.as_str());
        let status = answered.status.as_u16();
        tracing::debug!(%method, path, route, status, bytes, duration_us, cache, request_id, client, "request");
    }
}
