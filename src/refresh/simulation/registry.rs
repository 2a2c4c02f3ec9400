//! A model of a registry: what it lists, and what it answers. It is asked by calls, and its clock is the simulation's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::faults::{Fault, garbage};
use crate::catalog::entry::{Entry, Name};
use crate::registry::crawl::PageQuery;
use crate::registry::error::FetchError;
use crate::registry::increments::UpdatedSince;
use crate::registry::wire::{Context, Page, decode};

/// A name, and the number of one of its versions.
pub(super) type Key = (Name, u8);
/// What a registry lists. Every form of an entry is decoded once, so entries are the same where their pointers are.
pub(super) type Rows = BTreeMap<Key, Arc<Entry>>;

/// The versions that a name may have.
const VERSIONS: u8 = 3;
/// How many pages there are that an endless list shows, over and over with other cursors.
const ENDLESS_PAGES: usize = 14;

/// What a registry answers, and what the simulation knows of the answer that the program does not.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) page: Result<Page, FetchError>,
    pub(super) date: Option<Timestamp>,
    /// What the page is remembered by.
    pub(super) tag: Option<String>,
    /// Whether the page belongs to a list that comes to an end.
    pub(super) is_sound: bool,
    pub(super) duration: Duration,
}

/// A registry that lists names of up to three versions each.
#[derive(Debug)]
pub(super) struct ModelRegistry {
    pub(super) rows: Rows,
    pub(super) knows: UpdatedSince,
    /// How far its clock is ahead; none: it sends no dates.
    pub(super) skew: Option<SignedDuration>,
    pub(super) fault: Option<Fault>,
    /// How many names it may list.
    pub(super) names: usize,
    page_size: usize,
    has_tags: bool,
    contents: u64,
    /// The page before, of walks and of increments, and its number.
    last: [(u32, Page); 2],
    endless: Vec<(Name, Arc<Entry>)>,
}

impl ModelRegistry {
    /// A registry that has listed things for long.
    pub(super) fn random(names: usize, now: Timestamp) -> Self {
        let mut model = Self {
            rows: BTreeMap::new(),
            knows: UpdatedSince::Honoured,
            skew: Some(SignedDuration::ZERO),
            fault: None,
            names,
            // Seven pages at most: fewer than a list may have.
            page_size: fastrand::usize(names / 2 + 1..names * 3 + 2),
            has_tags: fastrand::bool(),
            contents: 0,
            last: [(0, Page::default()), (0, Page::default())],
            endless: Vec::new(),
        };
        for _ in 0..names * usize::from(VERSIONS) {
            model.publish(now - SignedDuration::from_hours(1_000));
        }
        model
    }

    fn clock(&self, now: Timestamp) -> Timestamp {
        now + self.skew.unwrap_or_default()
    }

    fn random_key(&self) -> Key {
        (name(fastrand::usize(0..self.names)), fastrand::u8(1..=VERSIONS))
    }

    fn random_row(&self) -> Option<(Key, Arc<Entry>)> {
        let nth = fastrand::usize(0..self.rows.len().max(1));
        self.rows.iter().nth(nth).map(|(key, entry)| (key.clone(), Arc::clone(entry)))
    }

    /// Publishes a version, or changes it, as a registry does that stamps changes.
    pub(super) fn publish(&mut self, now: Timestamp) {
        let (key, updated_at) = (self.random_key(), self.clock(now));
        self.put(key, "active", updated_at);
    }

    /// Changes the status of a version.
    pub(super) fn turn(&mut self, status: &str, now: Timestamp) {
        if let Some((key, _)) = self.random_row() {
            self.put(key, status, self.clock(now));
        }
    }

    /// Changes a version, and says nothing of it.
    pub(super) fn rewrite(&mut self) {
        if let Some((key, entry)) = self.random_row() {
            self.put(key, entry.status().as_str(), entry.updated_at());
        }
    }

    /// Removes a version, and says nothing of it; never the last one.
    pub(super) fn remove(&mut self) {
        if let Some((key, _)) = self.random_row().filter(|_| self.rows.len() > 1) {
            self.rows.remove(&key);
        }
    }

    /// Removes all but a few, for good.
    pub(super) fn purge(&mut self) {
        let left = fastrand::usize(1..12);
        while left < self.rows.len() {
            self.rows.pop_last();
        }
    }

    fn put(&mut self, key: Key, status: &str, updated_at: Timestamp) {
        self.contents += 1;
        let entry = decoded(&key, self.contents, status, updated_at);
        self.rows.insert(key, entry);
    }

    /// What a test brings.
    pub(super) fn answer_test(&self, now: Timestamp) -> Result<Page, FetchError> {
        if let Some(error) = self.fault.as_ref().and_then(|fault| fault.of_everything(now)) {
            return Err(error);
        }
        match self.fault {
            Some(Fault::Garbage) => garbage(false),
            Some(Fault::Empty) => Ok(Page::default()),
            _ => Ok(page(self.rows.iter().take(3).map(listed).collect(), None)),
        }
    }

    /// What a request for a page brings.
    pub(super) fn answer(&mut self, query: &PageQuery, now: Timestamp) -> Answer {
        let is_slow = matches!(self.fault, Some(Fault::Slow));
        let duration = Duration::from_millis(if is_slow { 75_000 } else { fastrand::u64(20..4_000) });
        let page = self.page(query, now);
        let turn = usize::from(query.updated_since.is_some());
        let number = if query.cursor.is_some() { self.last[turn].0 + 1 } else { 1 };
        let (page, is_sound) = match (page, &self.fault) {
            // Not the second page: who repeats the first one is a static host, whose list it is.
            (Ok(_), Some(Fault::Repeats)) if 3 <= number => (Ok(self.last[turn].1.clone()), false),
            (Ok(mut page), Some(Fault::Circles)) if 2 <= number => {
                page.next_cursor.clone_from(&query.cursor);
                (Ok(page), false)
            }
            (page, _) => (page, true),
        };
        let tag = page.as_ref().ok().filter(|_| self.has_tags).map(tag);
        Answer { page, date: self.skew.map(|skew| now + skew), tag, is_sound, duration }
    }

    /// Notes that a page has arrived: what repeats it comes after it.
    pub(super) fn note_arrival(&mut self, query: &PageQuery, page: &Page) {
        let last = &mut self.last[usize::from(query.updated_since.is_some())];
        *last = (if query.cursor.is_some() { last.0 + 1 } else { 1 }, page.clone());
    }

    fn page(&mut self, query: &PageQuery, now: Timestamp) -> Result<Page, FetchError> {
        let error = self
            .fault
            .as_ref()
            .and_then(|fault| fault.of_everything(now).or_else(|| fault.of_pages(query.cursor.is_some())));
        if let Some(error) = error {
            return Err(error);
        }
        if query.updated_since.is_some() && self.knows == UpdatedSince::Rejected {
            return Err(FetchError::Status { status: 422, retry_after: None });
        }
        match self.fault {
            Some(Fault::Garbage) => garbage(query.cursor.is_some()),
            Some(Fault::Empty) => Ok(Page::default()),
            Some(Fault::Endless) => Ok(self.endless_page(query.cursor.as_deref())),
            Some(Fault::Collapsed(left)) => self.list(query, left),
            _ => self.list(query, usize::MAX),
        }
    }

    /// A page of what is listed, of which only the first ones are left.
    fn list(&self, query: &PageQuery, left: usize) -> Result<Page, FetchError> {
        let after = query.cursor.as_deref().map(key_of).transpose()?;
        let since = query.updated_since.filter(|_| self.knows == UpdatedSince::Honoured);
        let is_asked_for = |(key, entry): &(&Key, &Arc<Entry>)| {
            after.as_ref().is_none_or(|after| after < *key)
                && since.is_none_or(|since| since < entry.updated_at())
                && (!entry.is_deleted() || query.include_deleted || query.updated_since.is_some())
        };
        let mut rest = self.rows.iter().take(left).filter(is_asked_for);
        let rows: Vec<_> = rest.by_ref().take(self.page_size).collect();
        let next = rows
            .last()
            .filter(|_| rows.len() == self.page_size)
            .map(|((name, version), _)| format!("{name} {version}"));
        Ok(page(rows.into_iter().map(listed).collect(), next))
    }

    /// One of pages without end, of names that nobody has heard of.
    fn endless_page(&mut self, cursor: Option<&str>) -> Page {
        let made = |number| {
            let key = (Name::new(&format!("endless/{number}")).expect("a name"), 1);
            let entry = decoded(&key, number, "active", Timestamp::UNIX_EPOCH);
            (key.0, entry)
        };
        if self.endless.is_empty() {
            self.endless = (0..2 * ENDLESS_PAGES as u64).map(made).collect();
        }
        let number: usize = cursor.and_then(|cursor| cursor.strip_prefix("endless ")?.parse().ok()).unwrap_or(0);
        let entries = self.endless.chunks(2).nth(number % ENDLESS_PAGES).unwrap_or_default().to_vec();
        page(entries, Some(format!("endless {}", number + 1)))
    }
}

/// The name of a number; some lie in namespaces that somebody may claim.
fn name(number: usize) -> Name {
    let namespace = ["a", "com.acme", "com.steady", "b"][number % 4];
    Name::new(&format!("{namespace}/{number:02}")).expect("a name")
}

fn key_of(cursor: &str) -> Result<Key, FetchError> {
    let parsed =
        cursor.split_once(' ').and_then(|(name, version)| Some((Name::new(name).ok()?, version.parse().ok()?)));
    let known = parsed.filter(|(name, _)| name.as_str() != "endless");
    known.ok_or(FetchError::Status { status: 400, retry_after: None })
}

fn listed((key, entry): (&Key, &Arc<Entry>)) -> (Name, Arc<Entry>) {
    (key.0.clone(), Arc::clone(entry))
}

fn page(entries: Vec<(Name, Arc<Entry>)>, next_cursor: Option<String>) -> Page {
    let mut page = Page::default();
    (page.entries, page.next_cursor) = (entries, next_cursor);
    page
}

/// What identifies a page: an honest `ETag`.
fn tag(page: &Page) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    page.entries.iter().for_each(|(name, entry)| (name, &entry.form().0).hash(&mut hasher));
    page.next_cursor.hash(&mut hasher);
    format!("\"{:x}\"", hasher.finish())
}

/// An entry as the decoder makes it of what the registry writes.
fn decoded((name, version): &Key, number: u64, status: &str, updated_at: Timestamp) -> Arc<Entry> {
    let time = updated_at.to_string();
    let server = json!({"name": name.as_str(), "description": "d", "version": format!("{version}.0.0"), "n": number});
    let official = json!({"status": status, "publishedAt": time, "updatedAt": time, "isLatest": true});
    let meta = json!({"io.modelcontextprotocol.registry/official": official});
    let document = json!({"servers": [{"server": server, "_meta": meta}]}).to_string();
    // Later than it was stamped, as on any network: a date of that very moment would be one that we filled in.
    let now = updated_at + SignedDuration::from_millis(1);
    let context = Context { now, provenance_key: "k", previous: None, max_entry_size: 256 << 10 };
    let mut entries = decode(document.as_bytes(), &context).expect("a list").entries;
    entries.pop().expect("an entry").1
}
