//! A part of the feed: what happened after a cursor, or the newest that happened.

use std::sync::Arc;

use serde::Serialize;

use super::cursor;
use super::row::Row;
use crate::catalog::feed::{Cursor, Event, Feed};

/// Where a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// Nowhere yet.
    Newest,
    /// There.
    Cursor(Cursor),
    /// Somewhere that is not in this feed.
    Unknown,
}

/// Which events a client wants. Resets concern everyone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// Of entries whose content comes from this registry, or came from it before.
    pub(super) registry: Option<Box<str>>,
    /// Of this server.
    pub(super) name: Option<Box<str>>,
}

impl Filter {
    pub(super) fn passes(&self, event: &Event) -> bool {
        let Some(change) = &event.change else { return true };
        let is_of =
            |registry: &str| *change.registry == *registry || change.former_registry.as_deref() == Some(registry);
        self.registry.as_deref().is_none_or(is_of)
            && self.name.as_deref().is_none_or(|name| change.name.as_str() == name)
    }
}

/// Where in the feed a client stands: after the event of that number. None where it has to walk the list again.
pub(super) fn start(feed: &Feed, since: Since, filter: &Filter, limit: usize) -> Option<u64> {
    match since {
        Since::Cursor(cursor) => feed.locate(cursor),
        Since::Unknown => None,
        Since::Newest => {
            let newest = feed.events().iter().rev().filter(|event| filter.passes(event)).take(limit);
            Some(newest.last().map_or(feed.last(), |first| first.sequence - 1))
        }
    }
}

/// A part of the feed.
pub(super) struct Page<'a> {
    pub(super) rows: Vec<Row<'a>>,
    next: Cursor,
}

#[derive(Serialize)]
struct Body<'a> {
    changes: &'a [Row<'a>],
    metadata: Metadata,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    count: usize,
    next_cursor: String,
}

impl<'a> Page<'a> {
    /// At most `limit` events.
    pub(super) fn of(feed: &'a Feed, since: Since, filter: &Filter, limit: usize) -> Self {
        let Some(start) = start(feed, since, filter, limit) else {
            return Self { rows: vec![Row::of_gap(feed)], next: feed.end() };
        };
        let mut passing = feed.after(start).iter().filter(|event| filter.passes(event));
        let events: Vec<&Arc<Event>> = passing.by_ref().take(limit).collect();
        // What is left out by the filter need not be looked at again.
        let next = match events.last() {
            Some(last) if passing.next().is_some() => feed.cursor_at(last.sequence),
            // Who comes from a replica that knows more stays where it is.
            _ => feed.cursor_at(feed.last().max(start)),
        };
        let rows = events.into_iter().map(|event| Row::of(event, feed.cursor_at(event.sequence))).collect();
        Self { rows, next }
    }

    /// The page as JSON, with a line end.
    pub(super) fn body(&self) -> Vec<u8> {
        let metadata = Metadata { count: self.rows.len(), next_cursor: cursor::encode(self.next) };
        let mut bytes = serde_json::to_vec(&Body { changes: &self.rows, metadata })
            .expect("events hold only texts, numbers and times");
        bytes.push(b'\n');
        bytes
    }
}
