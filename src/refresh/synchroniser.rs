//! Keeps one registry's listing in step: decides what is asked for next, and what becomes of what comes. It opens no
//! sockets and reads no clock; `sync` does both for it.
//!
//! At most one full walk and one increment are in progress. They take turns page by page, so a walk of many hours
//! does not hold up what changed, and an increment that waits before a retry does not hold up the walk.

mod endings;
mod shown;

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Config;
use super::run::{Errand, NextPage, Run};
use super::schedule::{Now, Schedule};
use crate::catalog::listing::Listing;
use crate::registry::crawl::{Next, PageQuery, Progress};
use crate::registry::error::FetchError;
use crate::registry::guard::Trust;
use crate::registry::marks::Marks;
use crate::registry::retry;
use crate::registry::{Fetched, ListUrl, RefreshRequests, Registry};

/// What to do next.
#[derive(Debug)]
pub(super) enum Step {
    /// Ask for a page.
    Fetch(Request),
    /// Wait until then, or for news.
    Wait(Instant),
}

/// A page to ask for.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) list: ListUrl,
    pub(super) query: PageQuery,
    pub(super) previous: Option<Arc<Listing>>,
    pub(super) page: NextPage,
    turn: Turn,
}

/// Whose page it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Walk,
    Increment,
}

/// One registry's schedule, and what is in progress.
#[derive(Debug)]
pub(super) struct Synchroniser {
    registry: Arc<Registry>,
    schedule: Schedule,
    walk: Option<Run>,
    increment: Option<Run>,
    /// Whose page was asked for last, so that both get on.
    last: Turn,
    is_walkable: bool,
    requests: RefreshRequests,
    /// Whether an administrator wants a full walk that has not begun.
    is_asked_for: bool,
    /// The requests that had come when the last walk began that was asked for.
    serving: RefreshRequests,
    /// How far the walk in progress and the one that an administrator wants are trusted.
    trust: Trust,
    asked_trust: Trust,
    /// How far the next walk is trusted that nobody asks for: as the last one, where that has failed.
    next_trust: Trust,
    /// Until when the registry asks to be left in peace, whatever it was that it answered so.
    not_before: Instant,
    /// How many increments in a row were refused of a registry that has answered some.
    refusals: u32,
    random: fn() -> f64,
}

impl Synchroniser {
    /// Starts with what the registry's status says. `random` is asked for numbers in `0.0..1.0`.
    pub(super) fn new(registry: Arc<Registry>, config: Config, now: Now, random: fn() -> f64) -> Self {
        let marks = marks(&registry);
        let schedule = Schedule::new(config, &marks, now, random());
        // What came before and has not been served counts as new.
        let requests = registry.status().served;
        Self {
            registry,
            schedule,
            walk: None,
            increment: None,
            last: Turn::Walk,
            is_walkable: false,
            requests,
            is_asked_for: false,
            serving: requests,
            trust: Trust::Scheduled,
            asked_trust: Trust::AskedFor,
            next_trust: Trust::Scheduled,
            not_before: now.at,
            refusals: 0,
            random,
        }
    }

    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// When the walk and the increment in progress began.
    #[cfg(test)]
    pub(super) fn in_progress(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let began = |run: &Option<Run>| run.as_ref().map(|run| run.began.wall);
        (began(&self.walk), began(&self.increment))
    }

    #[cfg(test)]
    pub(super) fn is_walking(&self) -> bool {
        self.walk.is_some()
    }

    /// Takes in whether walking the registry makes sense now. While it does not, what is in progress rests. After an
    /// outage, what changed meanwhile comes first.
    pub(super) fn set_walkable(&mut self, is_walkable: bool, now: Now) {
        if self.is_walkable == is_walkable {
            return;
        }
        self.is_walkable = is_walkable;
        for run in self.walk.iter_mut().chain(&mut self.increment) {
            run.rest(!is_walkable, now.at);
        }
        if is_walkable {
            self.schedule.hasten_increment(now);
            if self.updated_since(now).is_none() {
                self.schedule.hasten_walk(now);
            }
        }
    }

    /// Takes in what administrators ask for.
    pub(super) fn set_requests(&mut self, requests: RefreshRequests) {
        if requests.asked != self.requests.asked {
            self.is_asked_for = true;
        }
        if requests.accepted != self.requests.accepted {
            self.asked_trust = Trust::Accepted;
            self.trust = if self.walk.is_some() { Trust::Accepted } else { self.trust };
        }
        self.requests = requests;
    }

    /// What to do next. What is under way then, the registry's status shows.
    pub(super) fn next(&mut self, now: Now) -> Step {
        let step = self.decide(now);
        self.show(now);
        step
    }

    fn decide(&mut self, now: Now) -> Step {
        self.end_what_cannot_go_on(now);
        let deadlines = self.walk.iter().chain(&self.increment).map(|run| run.walk.deadline());
        if !self.is_walkable {
            return Step::Wait(deadlines.min().unwrap_or_else(|| far(now)));
        }
        if now.at < self.not_before {
            return Step::Wait(deadlines.fold(self.not_before, Instant::min));
        }
        self.start_what_is_due(now);
        let turns = [Turn::Walk, Turn::Increment].map(|turn| self.ask(turn, now));
        let other = |turn: &Turn| *turn != self.last;
        let fetches = turns.iter().flatten().filter_map(|(turn, next)| matches!(next, Next::Fetch(_)).then_some(*turn));
        let fetches: Vec<Turn> = fetches.collect();
        let turn = fetches.iter().copied().find(other).or_else(|| fetches.first().copied());
        if let Some(turn) = turn {
            self.last = turn;
            return self.request(turn, now);
        }
        let waits = turns.into_iter().flatten().filter_map(|(_, next)| match next {
            Next::Wait(until) => Some(until),
            Next::Fetch(_) => None,
        });
        Step::Wait(waits.chain(self.due(now)).min().unwrap_or_else(|| far(now)))
    }

    /// When something is due that is not in progress.
    fn due(&self, now: Now) -> impl Iterator<Item = Instant> {
        let walk = self.walk.is_none().then(|| self.schedule.walk_at());
        let increment = self.increment.is_none().then(|| self.schedule.increment_at(&marks(&self.registry), now));
        walk.into_iter().chain(increment)
    }

    fn run(&self, turn: Turn) -> Option<&Run> {
        match turn {
            Turn::Walk => self.walk.as_ref(),
            Turn::Increment => self.increment.as_ref(),
        }
    }

    /// What one of the two wants. A walk that has gone on for too long has been ended before.
    fn ask(&self, turn: Turn, now: Now) -> Option<(Turn, Next)> {
        Some((turn, self.run(turn)?.walk.next(now.at).ok()?))
    }

    fn request(&self, turn: Turn, now: Now) -> Step {
        match (self.ask(turn, now), self.run(turn)) {
            (Some((_, Next::Fetch(query))), Some(run)) => {
                let (list, previous, page) = (run.list.clone(), run.previous.clone(), run.next_page());
                Step::Fetch(Request { list, query, previous, page, turn })
            }
            _ => Step::Wait(now.at),
        }
    }

    fn end_what_cannot_go_on(&mut self, now: Now) {
        for turn in [Turn::Increment, Turn::Walk] {
            let slot = if turn == Turn::Walk { &mut self.walk } else { &mut self.increment };
            let Some(run) = slot else { continue };
            let ended = run.end_at_loop(&self.registry, now).and_then(|()| run.walk.next(now.at).map(|_| ()));
            if let Err(error) = ended
                && let Some(run) = slot.take()
            {
                self.fail(&run, &error, now);
            }
        }
    }

    fn start_what_is_due(&mut self, now: Now) {
        let marks = marks(&self.registry);
        if self.increment.is_none() && self.schedule.increment_at(&marks, now) <= now.at {
            if let Some(since) = self.updated_since(now) {
                self.increment = self.begin(Errand::Changes(since), now);
            } else {
                if has_listing(&self.registry) && self.walk.is_none() && !self.holds_present_list() {
                    // There is one that cannot be brought up to date: its URL is another now.
                    self.schedule.hasten_walk(now);
                }
                self.schedule.fail_increment(now, (self.random)());
            }
        }
        let is_due = self.is_asked_for || self.schedule.walk_at() <= now.at;
        let is_free = self.increment.as_ref().is_none_or(Run::is_in_trouble);
        if self.walk.is_none() && is_due && is_free {
            self.walk = self.begin(Errand::FullWalk, now);
            self.trust = if self.is_asked_for { self.asked_trust } else { self.next_trust };
            self.serving = if self.is_asked_for { self.requests } else { self.serving };
            (self.is_asked_for, self.asked_trust, self.next_trust) = (false, Trust::AskedFor, Trust::Scheduled);
            self.catch_up();
        }
    }

    fn begin(&self, errand: Errand, now: Now) -> Option<Run> {
        let list = self.registry.list_url()?;
        if errand == Errand::FullWalk {
            self.registry.begin_walk();
        }
        Some(Run::new(&self.registry, errand, list, now))
    }

    /// Gives a walk that begins beside an increment what that has brought so far.
    fn catch_up(&mut self) {
        if let (Some(walk), Some(increment)) = (&mut self.walk, &self.increment) {
            for listed in &increment.walk.snapshot().0.servers {
                for entry in &listed.entries {
                    walk.walk.insert(&listed.name, Arc::clone(entry));
                }
            }
        }
    }

    /// Whether a walk of the list where it is now has been held: the next one comes when it is due, and no sooner.
    fn holds_present_list(&self) -> bool {
        let url = self.registry.url();
        self.registry.status().held.as_ref().is_some_and(|held| *held.listing.url == *url)
    }

    /// What an increment would ask for, if there is a listing of this URL to change that holds nothing of ours.
    fn updated_since(&self, now: Now) -> Option<Timestamp> {
        let url = self.registry.url();
        let status = self.registry.status();
        let is_sound = |listing: &&Arc<Listing>| *listing.url == *url && !status.loops.is_listing_tainted;
        status.listing.as_ref().filter(is_sound)?;
        Schedule::updated_since(&status.marks, now)
    }

    /// Takes in what a request brought.
    pub(super) fn observe(&mut self, request: &Request, fetched: Result<Fetched, FetchError>, now: Now) {
        if let Some(wait) = fetched.as_ref().err().and_then(retry::asked_for) {
            self.not_before = self.not_before.max(now.at + wait);
        }
        match request.turn {
            Turn::Walk => self.observe_walk(fetched, now),
            Turn::Increment => self.observe_increment(fetched, now),
        }
    }

    fn observe_walk(&mut self, fetched: Result<Fetched, FetchError>, now: Now) {
        let Some(mut run) = self.walk.take() else { return };
        let taken = run.end_at_loop(&self.registry, now);
        match taken.and_then(|()| run.take(&self.registry, fetched, now, (self.random)())) {
            Ok(Progress::Continues) => {
                run.show_partial(&self.registry, now.at);
                self.walk = Some(run);
            }
            Ok(Progress::Finished) => self.end_walk(run, now),
            Err(error) => self.fail(&run, &error, now),
        }
    }

    fn observe_increment(&mut self, fetched: Result<Fetched, FetchError>, now: Now) {
        let Some(mut run) = self.increment.take() else { return };
        if let Some(found) = self.judged(&run, &fetched) {
            self.note_unknown_parameter(found, now);
            return;
        }
        let brought = fetched.as_ref().map(|fetched| fetched.page.entries.clone()).unwrap_or_default();
        let taken = run.end_at_loop(&self.registry, now);
        match taken.and_then(|()| run.take(&self.registry, fetched, now, (self.random)())) {
            Ok(progress) => {
                if let Some(walk) = &mut self.walk {
                    for (name, entry) in brought {
                        walk.walk.insert(&name, entry);
                    }
                }
                match progress {
                    Progress::Continues => self.increment = Some(run),
                    Progress::Finished => self.end_increment(&mut run, now),
                }
            }
            Err(error) => self.fail(&run, &error, now),
        }
    }
}

fn marks(registry: &Registry) -> Marks {
    registry.status().marks
}

fn has_listing(registry: &Registry) -> bool {
    registry.status().listing.is_some()
}

/// When nothing is due.
fn far(now: Now) -> Instant {
    now.at + super::IDLE
}

#[cfg(test)]
#[path = "synchroniser_tests.rs"]
mod tests;
