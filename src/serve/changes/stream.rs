//! The feed as it goes on: lines of JSON up to the newest event, or server-sent events for as long as the client stays.
//!
//! Nothing is queued for a client: it stands at a number, and takes the next part when there is room on its connection.
//! Who takes nothing is cut off as with any answer (`Deadlines::stall`), and comes back with the last cursor it has
//! seen. Who comes back too late finds a reset.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

use super::super::body::{MAX_PART_BYTES, Part, Source};
use super::cursor;
use super::form::Form;
use super::page::{Filter, Since, start};
use super::row::Row;
use crate::catalog::current::Current;
use crate::catalog::feed::Feed;

/// How often something is said where nothing happens: before `Deadlines::stall` is over.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// What clients are told to wait before they come back.
const RETRY: &str = "retry: 3000\n\n";
/// How many bytes make a part; one event more may follow, of at most 16 KiB.
const FULL_PART_BYTES: usize = MAX_PART_BYTES / 2;

/// One client's way through the feed.
pub(super) struct Follower {
    current: Arc<Current>,
    published: watch::Receiver<u64>,
    form: Form,
    filter: Filter,
    /// The number of the last event that it has seen or does not want; none where it has to walk the list again.
    position: Option<u64>,
    /// The number of the last event that it is told of, where it does not stay.
    until: Option<u64>,
    /// The number that it was last told.
    told: Option<u64>,
    has_begun: bool,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Follower {
    pub(super) fn new(
        current: Arc<Current>,
        published: watch::Receiver<u64>,
        form: Form,
        since: Since,
        filter: Filter,
        limit: usize,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let feed = current.load().changes.load_full();
        let position = start(&feed, since, &filter, limit);
        let until = (form != Form::Events).then(|| feed.last());
        Self { current, published, form, filter, position, until, told: None, has_begun: false, _permit: permit }
    }

    /// The next part; none where there is nothing to say now.
    fn part(&mut self) -> Option<Vec<u8>> {
        self.published.borrow_and_update();
        let feed = self.current.load().changes.load_full();
        let mut part = Vec::new();
        if !self.has_begun && self.form == Form::Events {
            part.extend_from_slice(RETRY.as_bytes());
        }
        self.has_begun = true;
        if let Some(position) = self.position.filter(|position| feed.has_all_after(*position)) {
            self.take(&feed, position, &mut part);
        } else {
            self.write(&Row::of_gap(&feed), feed.last(), &mut part);
            self.position = Some(feed.last());
        }
        (!part.is_empty()).then_some(part)
    }

    /// Takes the events after a position, until there are enough.
    fn take(&mut self, feed: &Feed, position: u64, part: &mut Vec<u8>) {
        self.position = Some(self.until.unwrap_or(u64::MAX).min(feed.last()).max(position));
        for event in feed.after(position) {
            if self.until.is_some_and(|until| until < event.sequence) {
                return;
            }
            if self.filter.passes(event) {
                self.write(&Row::of(event, feed.cursor_at(event.sequence)), event.sequence, part);
            }
            if FULL_PART_BYTES < part.len() {
                self.position = Some(event.sequence);
                return;
            }
        }
    }

    fn write(&mut self, row: &Row<'_>, sequence: u64, part: &mut Vec<u8>) {
        if self.form == Form::Events {
            // No name of the event's own: it would pass by whoever has not named it too, and so might a reset.
            part.extend_from_slice(format!("id: {}\ndata: ", row.cursor).as_bytes());
            part.extend_from_slice(&row.json());
            part.extend_from_slice(b"\n\n");
        } else {
            part.extend_from_slice(&row.json());
            part.push(b'\n');
        }
        self.told = Some(sequence);
    }

    /// What is said where nothing happens: a comment, and where the client stands by now.
    fn heartbeat(&mut self) -> Vec<u8> {
        let feed = self.current.load().changes.load_full();
        let position = self.position.filter(|position| self.told != Some(*position) && feed.has_all_after(*position));
        let Some(position) = position else { return b": still here\n\n".to_vec() };
        self.told = Some(position);
        format!(": still here\nid: {}\n\n", cursor::encode(feed.cursor_at(position))).into_bytes()
    }

    /// Waits for the next catalog. Where there will be none, for ever.
    async fn next_catalog(&mut self) {
        if self.published.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Source for Follower {
    fn next_part(mut self: Box<Self>) -> Part {
        Box::pin(async move {
            let heartbeat_at = tokio::time::Instant::now() + HEARTBEAT;
            loop {
                if let Some(part) = self.part() {
                    return Some((Bytes::from(part), self as Box<dyn Source>));
                }
                if self.until.is_some() {
                    return None;
                }
                let wait = heartbeat_at.saturating_duration_since(tokio::time::Instant::now());
                if timeout(wait, self.next_catalog()).await.is_err() {
                    return Some((Bytes::from(self.heartbeat()), self as Box<dyn Source>));
                }
            }
        })
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
