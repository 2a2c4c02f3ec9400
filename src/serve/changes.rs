//! `GET /changes`: the feed of what happened between catalogs, in the form that the client wants. `form` which one that
//! is, `cursor` where the client stands, `row` an event as JSON, `page` a part of the feed, `atom` that for feed
//! readers, `stream` the feed as it goes on.
//!
//! What happened, `catalog::feed` knows; nothing here decides that.

mod atom;
mod cursor;
mod form;
mod page;
mod row;
mod stream;

use std::sync::Arc;

use bytes::Bytes;
use http::header::VARY;
use http::request::Parts;
use http::{HeaderName, HeaderValue};

use super::coding::{Coding, negotiate};
use super::error::Problem;
use super::handling::{Answered, Found};
use super::query::ChangesQuery;
use super::representation::Representation;
use super::{Body, Service, cache, query};
pub(super) use form::Form;
use page::{Filter, Page, Since};
use stream::Follower;

/// The most clients that follow the feed live, of both listeners together. Each has its connection, or its stream of
/// one, and its part of what may be on the way (`limits.max_sending_size`).
pub(super) const MAX_FOLLOWERS: usize = 1_024;

/// Where a client that lost its connection stood.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// What the form depends on, as `Vary` names it.
const ACCEPT_NAME: HeaderValue = HeaderValue::from_static("Accept");
/// Keeps nginx from holding events back.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

impl Service {
    /// Answers with the feed of changes, or with a part of it.
    pub(super) fn changes(&self, request: &Parts) -> Result<Answered, Problem> {
        let ChangesQuery { since, limit, form, registry, name } = query::changes(request.uri.query())?;
        let form = form.unwrap_or_else(|| Form::accepted(&request.headers));
        let since = match since {
            None => Since::Newest,
            Some(text) => Since::Cursor(cursor::decode(&text).ok_or(Problem::BadRequest(INVALID_SINCE.into()))?),
        };
        let filter = Filter { registry, name };
        match form {
            Form::Json | Form::Atom => Ok(self.changes_page(form, since, &filter, limit)),
            Form::Lines => self.changes_stream(request, form, since, filter, limit),
            Form::Events => {
                // Where the connection was lost counts more than where the first one began. What is no cursor of ours
                // came from somebody else: then everything may have changed.
                let last = request.headers.get(LAST_EVENT_ID).map(|id| id.to_str().ok().and_then(cursor::decode));
                let since = last.map_or(since, |last| last.map_or(Since::Unknown, Since::Cursor));
                self.changes_stream(request, form, since, filter, limit)
            }
        }
    }

    fn changes_page(&self, form: Form, since: Since, filter: &Filter, limit: usize) -> Answered {
        self.with_view(|view| {
            let feed = view.catalog.changes.load_full();
            let page = Page::of(&feed, since, filter, limit);
            let body = match form {
                Form::Atom => atom::document(&page, filter, self.lineage.own(), view.catalog.published_at),
                _ => page.body(),
            };
            let changed_at = feed.events().last().map_or(view.catalog.published_at, |last| last.time);
            let representation = Representation::new(form.content_type(), Bytes::from(body), changed_at);
            Answered::Found(Found {
                representation: Arc::new(representation.varying_by(ACCEPT_NAME)),
                origin: cache::Origin::Rendered,
                freshness: self.freshness(view),
            })
        })
    }

    fn changes_stream(
        &self,
        request: &Parts,
        form: Form,
        since: Since,
        filter: Filter,
        limit: usize,
    ) -> Result<Answered, Problem> {
        if negotiate(&request.headers, 0) != Some(Coding::Identity) {
            return Err(Problem::NotAcceptable);
        }
        let permit = match form {
            Form::Events => {
                Some(Arc::clone(&self.core.followers).try_acquire_owned().map_err(|_| Problem::Overloaded)?)
            }
            _ => None,
        };
        let current = Arc::clone(&self.core.current);
        let follower = Follower::new(current, self.core.published.clone(), form, since, filter, limit, permit);
        let mut response = self.responder.streaming(form.content_type(), Body::stream(Box::new(follower)));
        response.headers_mut().append(VARY, ACCEPT_NAME);
        response.headers_mut().insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
        Ok(Answered::With(response))
    }
}

const INVALID_SINCE: &str = "Invalid since parameter: expected a cursor of this feed, from metadata.nextCursor or an \
                             event; leave it out for the newest events";
