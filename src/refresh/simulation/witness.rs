//! What must be known of one registry, told from what was asked and answered, and compared with what the program
//! makes of it. A walk counts where its last page has arrived, and then it is what its pages showed and what increments
//! showed meanwhile, the later over the earlier.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::reference::number;
use super::registry::{Key, Rows};
use super::vitals::Vitals;
use crate::catalog::entry::Entry;
use crate::catalog::listing::Listing;
use crate::registry::Registry;
use crate::registry::health::{Config, Outcome, State, WhenUnhealthy};
use crate::registry::increments::UpdatedSince;
use crate::registry::wire::Page;

/// What a walk removes at most without being held (faults.md: more than half, and more than 50).
const COLLAPSE_ABOVE: usize = 50;

/// A walk or an increment in progress.
#[derive(Debug)]
struct Chain {
    began: Timestamp,
    rows: Rows,
    pages: u32,
    brought: usize,
    loops: u64,
    /// Whether administrators had asked for a walk when it began.
    is_asked_for: bool,
}

/// A page that has arrived, and the program has taken in.
pub(super) struct Arrival {
    pub(super) page: Page,
    pub(super) is_increment: bool,
    pub(super) is_sound: bool,
    /// Whether the registry answered to `updated_since` as one does that knows it.
    pub(super) is_honest: bool,
    pub(super) now: Timestamp,
}

/// When what is in progress began: the walk, and the increment.
pub(super) type InProgress = (Option<Timestamp>, Option<Timestamp>);

/// What must be known of one registry.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts")]
pub(super) struct Witness {
    config: Config,
    pub(super) vitals: Vitals,
    known: Option<Rows>,
    partial: Option<Rows>,
    held: Option<(Rows, Timestamp)>,
    confirmed_at: Option<Timestamp>,
    is_tainted: bool,
    loops: u64,
    walk: Option<Chain>,
    increment: Option<Chain>,
    is_asked_for: bool,
    is_accepted: bool,
    shown: [Option<Arc<Listing>>; 2],
    /// Whether what the registry lists has changed since the last look.
    pub(super) is_news: bool,
    pub(super) walks: u32,
    pub(super) increments: u32,
}

impl Witness {
    pub(super) fn new(config: Config) -> Self {
        Self {
            vitals: Vitals::new(config.unhealthy_after, config.healthy_after),
            config,
            known: None,
            partial: None,
            held: None,
            confirmed_at: None,
            is_tainted: false,
            loops: 0,
            walk: None,
            increment: None,
            is_asked_for: false,
            is_accepted: false,
            shown: [None, None],
            is_news: false,
            walks: 0,
            increments: 0,
        }
    }

    /// What it lists, as far as is known.
    pub(super) fn listing(&self) -> Option<&Rows> {
        self.known.as_ref().or(self.partial.as_ref())
    }

    /// What its last complete walk and the increments since say.
    pub(super) fn known(&self) -> Option<&Rows> {
        self.known.as_ref()
    }

    /// Whether its servers may be served (contract §2).
    pub(super) fn is_usable(&self, now: Timestamp) -> bool {
        let is_fresh = || self.confirmed_at.is_some_and(|at| now < at + self.config.max_stale);
        !self.is_tainted
            && match self.vitals.state {
                State::Healthy => true,
                State::Starting => self.known.is_some(),
                State::Unhealthy => self.config.when_unhealthy == WhenUnhealthy::ServeStale && is_fresh(),
            }
    }

    /// Takes in what a test brought.
    pub(super) fn test(&mut self, outcome: Outcome, state: State) {
        if outcome == Outcome::Loop {
            self.loops += 1;
            self.is_tainted = self.listing().is_some();
            self.held = None;
        }
        self.vitals.observe(outcome, true, state);
    }

    /// Takes in what administrators ask for.
    pub(super) fn ask(&mut self, is_accepted: bool) {
        self.is_asked_for = true;
        self.is_accepted |= is_accepted;
        if let Some((held, since)) = self.held.take_if(|_| is_accepted) {
            self.known = Some(held);
            self.confirmed_at = self.confirmed_at.max(Some(since));
            self.is_news = true;
        }
    }

    /// Takes in what is in progress now.
    pub(super) fn see(&mut self, (walk, increment): InProgress) {
        let loops = self.loops;
        let begun = |chain: &Option<Chain>, now: Option<Timestamp>, rows: Rows, is_asked_for| {
            let is_same = chain.as_ref().map(|chain| chain.began) == now;
            let new = |began| Chain { began, rows, pages: 0, brought: 0, loops, is_asked_for };
            (!is_same).then(|| now.map(new))
        };
        if let Some(chain) = begun(&self.increment, increment, Rows::new(), false) {
            self.increments += u32::from(chain.is_some());
            self.increment = chain;
        }
        let rows = self.increment.as_ref().map(|increment| increment.rows.clone()).unwrap_or_default();
        if let Some(chain) = begun(&self.walk, walk, rows, self.is_asked_for) {
            self.walks += u32::from(chain.is_some());
            self.walk = chain;
        }
    }

    /// Takes in a page.
    pub(super) fn arrive(&mut self, arrival: Arrival, after: InProgress, registry: &Registry) {
        let Arrival { page, is_increment, is_sound, is_honest, now } = arrival;
        let (slot, after) = if is_increment { (&mut self.increment, after.1) } else { (&mut self.walk, after.0) };
        let chain = slot.as_mut().expect("a page of what is in progress");
        let goes_on = after == Some(chain.began);
        let (marks, state) = {
            let status = registry.status();
            (status.marks, status.health.state)
        };
        let is_recognised = chain.pages > 0 || page.check_recognised().is_ok();
        let is_sound = is_sound && is_recognised && chain.loops == self.loops;
        if !is_increment {
            self.vitals.observe(Outcome::Success, goes_on && is_sound, state);
        }
        if !is_sound {
            return;
        }
        chain.pages += 1;
        let is_judged = marks.updated_since == UpdatedSince::Ignored && marks.judged_at == Some(now);
        if is_increment && chain.pages == 1 && is_judged {
            assert!(!is_honest, "a registry that honours `updated_since` is taken for one that does not");
            return;
        }
        let is_last = page.next_cursor.is_none();
        chain.brought += page.entries.len();
        let rows = page.entries.into_iter().map(|(name, entry)| ((name, number(&entry)), entry));
        let rows: Vec<(Key, _)> = rows.collect();
        chain.rows.extend(rows.iter().cloned());
        if is_increment && (goes_on || is_last) {
            self.walk.iter_mut().for_each(|walk| walk.rows.extend(rows.iter().cloned()));
        }
        match (is_last, is_increment) {
            (true, true) => self.end_increment(now),
            (true, false) => self.end_walk(now, registry),
            (false, _) => {}
        }
    }

    fn end_increment(&mut self, now: Timestamp) {
        let Some(chain) = self.increment.take() else { return };
        let held = self.held.iter_mut().map(|(rows, _)| rows);
        for rows in self.known.iter_mut().chain(held) {
            rows.extend(chain.rows.clone());
        }
        self.confirmed_at = Some(now);
        self.is_news |= !chain.rows.is_empty();
    }

    fn end_walk(&mut self, now: Timestamp, registry: &Registry) {
        let Some(chain) = self.walk.take() else { return };
        if chain.brought == 0 && self.known.as_ref().is_some_and(|known| !known.is_empty()) {
            return;
        }
        self.is_news |= self.is_tainted || !self.known.as_ref().is_some_and(|known| are_same(known, &chain.rows));
        if self.is_held_back(&chain, now, registry) {
            return;
        }
        if chain.is_asked_for {
            (self.is_asked_for, self.is_accepted) = (false, false);
        }
        (self.held, self.partial, self.is_tainted) = (None, None, false);
        (self.known, self.confirmed_at) = (Some(chain.rows), Some(now));
    }

    /// Whether the collapse guard must keep a walk aside. What it makes of one that administrators asked for depends
    /// on whether the walk in progress is theirs; then what it may make of it is checked.
    fn is_held_back(&mut self, chain: &Chain, now: Timestamp, registry: &Registry) -> bool {
        let Some(known) = self.known.as_ref().filter(|_| !self.is_tainted) else { return false };
        let removed = known.keys().filter(|key| !chain.rows.contains_key(*key)).count();
        if removed <= COLLAPSE_ABOVE || removed * 2 <= known.len() {
            return false;
        }
        let is_same = self.held.as_ref().is_some_and(|(held, _)| held.keys().eq(chain.rows.keys()));
        let mut is_believed = is_same;
        if self.is_asked_for {
            let status = registry.status();
            is_believed = compare(status.listing.as_deref(), Some(&chain.rows)).is_ok();
            assert!(!is_believed || is_same || self.is_accepted, "a collapse was believed at once");
            if chain.is_asked_for {
                (self.is_asked_for, self.is_accepted) = (false, false);
            }
            if is_same && !is_believed {
                // It came too early: what was held before stays as it was.
                return true;
            }
        }
        if !is_believed {
            self.held = Some((chain.rows.clone(), now));
        }
        !is_believed
    }

    /// Compares what is known with what the registry lists.
    pub(super) fn check_agreement(&self, rows: &Rows) {
        let is_same = self.known.as_ref().is_some_and(|known| are_same(known, rows));
        assert!(is_same, "{:?} is not in step with the registry's list {rows:?}", self.known);
    }

    /// Compares what the program knows of the registry with what must be known.
    pub(super) fn check(&mut self, registry: &Registry) {
        let (listing, partial) = {
            let status = registry.status();
            (status.listing.clone(), status.partial.clone())
        };
        if self.is_news || !is_same(self.shown[0].as_ref(), listing.as_ref()) {
            let compared = compare(listing.as_deref(), self.known.as_ref());
            assert!(compared.is_ok(), "the listing is not what was fetched: {compared:?}");
            self.is_news = true;
        }
        if !is_same(self.shown[1].as_ref(), partial.as_ref()) {
            self.partial = partial.is_some().then(|| self.walk.as_ref().map(|walk| walk.rows.clone())).flatten();
            let compared = compare(partial.as_deref(), self.partial.as_ref());
            assert!(compared.is_ok(), "the part shown is not what was fetched: {compared:?}");
            self.is_news = true;
        }
        self.shown = [listing, partial];
    }
}

fn is_same(ours: Option<&Arc<Listing>>, theirs: Option<&Arc<Listing>>) -> bool {
    ours.map(Arc::as_ptr) == theirs.map(Arc::as_ptr)
}

/// What a listing has, in the order of names and versions. (Those of the models have one digit.)
fn entries(listing: &Listing) -> impl Iterator<Item = (&str, &Arc<Entry>)> {
    let servers = listing.servers.iter();
    servers.flat_map(|listed| listed.entries.iter().map(move |entry| (listed.name.as_str(), entry)))
}

/// Compares a listing with rows. Every form of an entry is one allocation.
fn compare(listing: Option<&Listing>, rows: Option<&Rows>) -> Result<(), String> {
    let listed = || listing.into_iter().flat_map(entries);
    let known = || rows.into_iter().flatten().map(|((name, _), entry)| (name.as_str(), entry));
    let counts = (listing.map(|listing| listing.versions), rows.map(Rows::len));
    if counts.0 == counts.1
        && listed().zip(known()).all(|(ours, theirs)| Arc::ptr_eq(ours.1, theirs.1) && ours.0 == theirs.0)
    {
        return Ok(());
    }
    let told = |name: &str, entry: &Arc<Entry>| format!("{name} {} of {}", number(entry), entry.updated_at());
    let (ours, theirs): (BTreeSet<String>, BTreeSet<String>) = (
        listed().map(|(name, entry)| told(name, entry)).collect(),
        known().map(|(name, entry)| told(name, entry)).collect(),
    );
    let (more, less): (Vec<_>, Vec<_>) = (ours.difference(&theirs).collect(), theirs.difference(&ours).collect());
    Err(format!("{counts:?} versions; too much: {more:?}; missing: {less:?}"))
}

fn are_same(ours: &Rows, theirs: &Rows) -> bool {
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(ours, theirs)| Arc::ptr_eq(ours.1, theirs.1) && ours.0 == theirs.0)
}
