//! An event as JSON.

use jiff::Timestamp;
use serde::Serialize;

use super::cursor;
use crate::catalog::feed::{Cursor, Event, Feed};

/// The word for a reset.
pub(super) const RESET: &str = "reset";

/// An event as clients see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row<'a> {
    pub(super) event: &'static str,
    pub(super) time: Timestamp,
    pub(super) revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) registry: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) former_registry: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) previous_version: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) fields: &'a [Box<str>],
    /// Where a client stands that has seen it.
    pub(super) cursor: String,
}

impl<'a> Row<'a> {
    /// An event of the feed.
    pub(super) fn of(event: &'a Event, at: Cursor) -> Self {
        let change = event.change.as_ref();
        Self {
            event: change.map_or(RESET, |change| change.kind.as_str()),
            time: event.time,
            revision: event.revision,
            registry: change.map(|change| &*change.registry),
            former_registry: change.and_then(|change| change.former_registry.as_deref()),
            name: change.map(|change| change.name.as_str()),
            version: change.map(|change| &*change.version),
            previous_version: change.and_then(|change| change.previous_version.as_deref()),
            fields: change.map_or(&[], |change| &change.fields),
            cursor: cursor::encode(at),
        }
    }

    /// What a client is told whose cursor the feed does not know: that it stands at the feed's end once it has walked
    /// the list.
    pub(super) fn of_gap(feed: &Feed) -> Self {
        let newest = feed.events().last();
        Self {
            event: RESET,
            time: newest.map_or(Timestamp::UNIX_EPOCH, |newest| newest.time),
            revision: newest.map_or(0, |newest| newest.revision),
            registry: None,
            former_registry: None,
            name: None,
            version: None,
            previous_version: None,
            fields: &[],
            cursor: cursor::encode(feed.end()),
        }
    }

    /// The event in one line, without its end.
    pub(super) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an event holds only texts, numbers and times")
    }
}
