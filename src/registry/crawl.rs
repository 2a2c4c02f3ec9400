//! A walk through a registry's list: a pure state machine. It says what to ask for next and takes in
//! what came of it; a thin loop in `refresh` does the asking.
//!
//! A walk resumes at the page that failed. It ends well on the last page, and badly on an answer that
//! asking again cannot mend, on signs that it would never end, after [`GIVE_UP_AFTER`] without progress, or
//! after [`Limits::walk_timeout`] in all.

mod error;
mod seen;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::error::FetchError;
use super::increments::is_refused;
use super::limits::Limits;
use super::retry;
use super::wire::{Page, RefusedEntries};
use crate::catalog::entry::{Entry, Name};
use crate::catalog::listing::{Listing, ListingBuilder};
pub use error::WalkError;
use seen::Seen;

/// A walk is given up after this long without a new page.
pub const GIVE_UP_AFTER: Duration = Duration::from_mins(15);

/// What to ask of the list endpoint, besides `limit=100`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageQuery {
    /// The cursor, from the second page on.
    pub cursor: Option<String>,
    /// Whether deleted versions are asked for.
    pub include_deleted: bool,
    /// Only what was updated after this instant.
    pub updated_since: Option<Timestamp>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask for a page.
    Fetch(PageQuery),
    /// Wait until then.
    Wait(Instant),
}

/// What a page did to the walk.
#[derive(Debug)]
pub enum Progress {
    /// It goes on.
    Continues,
    /// That was the last page.
    Finished,
}

/// What is known of a registry when a walk of its whole list begins.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The last good listing of the same URL: what stays as it was is shared with it.
    pub previous: Option<Arc<Listing>>,
    /// The last good listing, wherever its list was then; none where it may hold what we serve.
    pub last_good: Option<Arc<Listing>>,
    /// How many versions that are not deleted it lists so far.
    pub visible: usize,
    /// Whether a walk that asked for deleted versions has come to its end before.
    pub lists_deleted: bool,
}

/// A walk in progress.
#[derive(Debug)]
pub struct Walk {
    limits: Limits,
    ends_at: Instant,
    builder: ListingBuilder,
    refused: RefusedEntries,
    query: PageQuery,
    known: Known,
    pages: u32,
    /// Failed attempts at the present page.
    attempts: u32,
    last_error: Option<String>,
    wait_until: Option<Instant>,
    last_page_at: Instant,
    /// How many entries its own pages have brought.
    brought: usize,
    seen: Seen,
}

impl Walk {
    /// A walk through the whole list.
    #[must_use]
    pub fn full(url: Arc<str>, known: Known, limits: Limits, now: Instant) -> Self {
        let query = PageQuery { include_deleted: true, ..PageQuery::default() };
        Self::new(ListingBuilder::new(url, known.previous.clone()), query, known, limits, now)
    }

    /// A walk through what changed since an instant. Its listing is the changes alone.
    #[must_use]
    pub fn since(url: Arc<str>, updated_since: Timestamp, limits: Limits, now: Instant) -> Self {
        // `updated_since` brings deleted versions by itself (registry-api.md §2.6).
        let query = PageQuery { updated_since: Some(updated_since), ..PageQuery::default() };
        Self::new(ListingBuilder::new(url, None), query, Known::default(), limits, now)
    }

    /// Takes in what an increment brought while this walk was on its way. Pages that arrive later count over it.
    pub fn insert(&mut self, name: &Name, entry: Arc<Entry>) {
        self.builder.insert(name, entry);
    }

    /// Shares with this listing from now on, which an increment has put in the place of the one before.
    pub fn share_with(&mut self, listing: Arc<Listing>) {
        self.builder.share_with(Arc::clone(&listing));
        self.known.last_good = Some(listing);
    }

    fn new(builder: ListingBuilder, query: PageQuery, known: Known, limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            ends_at: now + limits.walk_timeout,
            builder,
            refused: RefusedEntries::default(),
            query,
            known,
            pages: 0,
            attempts: 0,
            last_error: None,
            wait_until: None,
            last_page_at: now,
            brought: 0,
            seen: Seen::default(),
        }
    }

    /// Why the last attempt at the present page failed, and how many have.
    #[must_use]
    pub fn trouble(&self) -> Option<(&str, u32)> {
        self.last_error.as_deref().map(|error| (error, self.attempts))
    }

    /// Whether deleted versions are asked for.
    #[must_use]
    pub fn asks_for_deleted(&self) -> bool {
        self.query.include_deleted
    }

    /// How many pages have arrived.
    #[must_use]
    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// How many versions the listing would have now.
    #[must_use]
    pub fn versions(&self) -> usize {
        self.builder.versions()
    }

    /// The listing as it stands, and what was left out of it.
    #[must_use]
    pub fn snapshot(&self) -> (Listing, RefusedEntries) {
        (self.builder.snapshot(), self.refused.clone())
    }

    /// When the walk is given up unless a page arrives.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.ends_at.min(self.last_page_at + GIVE_UP_AFTER)
    }

    /// What to do next.
    ///
    /// # Errors
    /// When the walk has gone too long, or too long without a page.
    pub fn next(&self, now: Instant) -> Result<Next, WalkError> {
        if self.ends_at <= now {
            return Err(WalkError::TooLong { page: self.pages + 1, limit: self.limits.walk_timeout });
        }
        if self.deadline() <= now {
            let error = self.last_error.clone().unwrap_or_else(|| "no attempt could be made".to_owned());
            return Err(WalkError::Stalled { page: self.pages + 1, error });
        }
        match self.wait_until.filter(|until| now < *until) {
            Some(until) => Ok(Next::Wait(until.min(self.deadline()))),
            None => Ok(Next::Fetch(self.query.clone())),
        }
    }

    /// Takes in what a request brought. `random` is in `0.0..1.0` and jitters the wait before a retry.
    ///
    /// # Errors
    /// When the walk has failed.
    pub fn observe(
        &mut self,
        outcome: Result<Page, FetchError>,
        now: Instant,
        random: f64,
    ) -> Result<Progress, WalkError> {
        match outcome {
            // Once there were entries, a page without any is a page of bad ones.
            Ok(page) if self.pages == 0 => match page.check_recognised() {
                Ok(()) => self.take(page, now),
                Err(error) => self.fail(error.into(), now, random).map(|()| Progress::Continues),
            },
            Ok(page) => self.take(page, now),
            Err(error) => self.fail(error, now, random).map(|()| Progress::Continues),
        }
    }

    fn fail(&mut self, error: FetchError, now: Instant, random: f64) -> Result<(), WalkError> {
        let may_not_know_it = self.query.include_deleted && !self.known.lists_deleted;
        if is_refused(&error) && self.pages == 0 && may_not_know_it {
            // Some registries do not know the parameter; ask once more without it.
            self.query.include_deleted = false;
            return Ok(());
        }
        if !retry::is_retryable(&error) {
            return Err(WalkError::Lasting { page: self.pages + 1, error });
        }
        self.attempts += 1;
        self.wait_until = Some(now + retry::delay(self.attempts, &error, random));
        self.last_error = Some(error.to_string());
        Ok(())
    }

    fn take(&mut self, page: Page, now: Instant) -> Result<Progress, WalkError> {
        self.pages += 1;
        (self.attempts, self.wait_until, self.last_error) = (0, None, None);
        self.last_page_at = now;
        if self.pages == 1 {
            self.seen.first_page = Some(self.seen.print(&page));
        } else if self.pages == 2 && self.seen.first_page == Some(self.seen.print(&page)) {
            // A static host that ignores the query: the first page was the whole list. But of a list that had more, it
            // is a page that came twice.
            let known = self.known.last_good.as_ref().map_or(0, |last_good| last_good.versions);
            if self.builder.versions() + self.refused.count < known {
                return Err(self.unbounded("it is the first page again, of a list that had more".to_owned()));
            }
            return self.finish();
        }
        let Page { entries, refused, next_cursor, .. } = page;
        let is_empty = entries.is_empty() && refused.count == 0;
        let mut news = 0_usize;
        for refused in &refused.entries {
            news += usize::from(self.seen.is_new(&refused.name, &refused.version, &refused.reason));
        }
        self.refused.append(refused);
        for (name, entry) in entries {
            news += usize::from(self.seen.is_new(name.as_str(), entry.version(), ""));
            self.builder.insert(&name, entry);
            self.brought += 1;
        }
        if news == 0 && !(is_empty && next_cursor.is_none()) {
            return Err(self.unbounded("it brings nothing that earlier pages did not".to_owned()));
        }
        self.advance(next_cursor)
    }

    fn unbounded(&self, reason: String) -> WalkError {
        WalkError::Unbounded { page: self.pages, reason }
    }

    fn advance(&mut self, next_cursor: Option<String>) -> Result<Progress, WalkError> {
        let Limits { max_listing_versions, max_listing_size, max_pages, .. } = self.limits;
        if max_listing_versions < self.builder.versions() + self.refused.count {
            let reason =
                format!("the list has more than {max_listing_versions} versions (`limits.max_listing_versions`)");
            return Err(self.unbounded(reason));
        }
        if max_listing_size < self.builder.bytes() {
            let reason = format!("the list has more than {max_listing_size} bytes (`limits.max_listing_size`)");
            return Err(self.unbounded(reason));
        }
        let Some(cursor) = next_cursor else {
            return self.finish();
        };
        if !self.seen.is_new("cursor", &cursor, "") {
            return Err(self.unbounded("its cursor has been used before".to_owned()));
        }
        if max_pages <= self.pages {
            return Err(self.unbounded(format!("the list has more than {max_pages} pages (`limits.max_pages`)")));
        }
        self.query.cursor = Some(cursor);
        Ok(Progress::Continues)
    }

    fn finish(&mut self) -> Result<Progress, WalkError> {
        if self.brought == 0 && self.known.visible > 0 {
            return Err(WalkError::Emptied { before: self.known.visible });
        }
        if !self.query.include_deleted {
            self.keep_deleted();
        }
        Ok(Progress::Finished)
    }

    /// Keeps what is known as deleted: a walk that does not ask for it cannot tell that it is gone. Were it forgotten,
    /// another registry that still lists it would bring it back.
    fn keep_deleted(&mut self) {
        let Some(last_good) = self.known.last_good.clone() else { return };
        for listed in &last_good.servers {
            for entry in listed.entries.iter().filter(|entry| entry.is_deleted()) {
                if !self.builder.has(&listed.name, entry.version()) {
                    self.builder.insert(&listed.name, Arc::clone(entry));
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "crawl_tests.rs"]
mod tests;
