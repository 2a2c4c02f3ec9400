//! What the catalog lacks, asked of the registries that may have it (README, "Read-through").
//!
//! One *flight* per name and version asks all of them at once, however many clients wait for it; it is a task of its
//! own, so that no client who hangs up ends it for the others. Whoever waits does so until three seconds after its
//! start, and then gets what has been found by then. What it brings, or that it brought nothing, is kept for a short
//! time. It is never a part of the catalog: [`answer`] shows it to who asks as if it had been mirrored.
//!
//! In reading order: `key` which names may leave the house, `kept` what a flight brought, here the flights, `answer`
//! when there is one, and what its outcome looks like, `tally` how often what happened. Whom to ask how often is the
//! registries' own matter (`registry::lookup`).

mod answer;
mod kept;
mod key;
mod tally;

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::catalog::merge::Policy;
use crate::registry::Registry;
use crate::registry::lookup::{Answer, LookUp, Refusal, Ticket};
use crate::trace::{self, KeyValue, Span};

pub(super) use answer::Awaited;
use kept::{Found, Kept, Outcome};
use key::Key;
pub use tally::ReadThroughCounts;
use tally::Tally;

/// The most flights at a time, over all names and registries.
const MAX_FLIGHTS: usize = 64;
/// The most requests that wait at a time, over all flights. Each of them is one of those that may be answered at a
/// time: a registry that hangs shall not take all of these.
const MAX_WAITING: usize = 256;
/// No more than one in so many of the requests that may be answered at a time.
const WAITING_SHARE: usize = 8;

/// The settings of reading through.
#[derive(Clone, Debug)]
pub struct ReadThroughSettings {
    /// How long "not there" is remembered.
    pub negative_ttl: Duration,
    /// How what is found joins what the catalog knows: as its own parts came together.
    pub policy: Policy,
}

/// What a flight is to whoever runs it.
pub type Flight = Pin<Box<dyn Future<Output = ()> + Send>>;
/// Runs flights, each as a task of its own.
pub type Spawn = Box<dyn Fn(Flight) + Send + Sync>;

/// All that reading through remembers: what is under way, and what was found. It outlives the service that uses it,
/// and takes registries and settings from whoever asks.
pub struct ReadThrough {
    flights: Mutex<HashMap<Key, Flying>>,
    seats: Arc<Semaphore>,
    kept: Kept,
    tally: Tally,
    spawn: Spawn,
}

/// A flight that is under way.
#[derive(Clone, Debug)]
struct Flying {
    report: watch::Receiver<Report>,
    /// Until when requests wait for it.
    until: Instant,
}

/// How far a flight has come.
#[derive(Clone, Debug)]
enum Report {
    /// What has been found by now.
    UnderWay(Option<Arc<Outcome>>),
    /// What it brought, and whether that is remembered.
    Landed(Arc<Outcome>, bool),
}

impl Report {
    fn has_landed(&self) -> bool {
        matches!(self, Self::Landed(..))
    }
}

impl fmt::Debug for ReadThrough {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ReadThrough").field("tally", &self.tally).finish_non_exhaustive()
    }
}

/// How an answer came about, as `Cache-Status` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A flight of its own, whose outcome is remembered or not.
    Fetched { is_stored: bool },
    /// Another request's flight.
    Collapsed,
    /// What an earlier flight brought, for so many seconds more.
    Remembered { seconds_left: u64 },
}

/// Where the outcome for a request will come from.
enum Prospect {
    Kept(Arc<Outcome>),
    Flight(Waiting),
}

/// A request that waits for a flight.
struct Waiting {
    report: watch::Receiver<Report>,
    until: Instant,
    /// Whether the flight began for it.
    is_own: bool,
    _seat: Option<OwnedSemaphorePermit>,
}

impl ReadThrough {
    /// How long after its start requests wait for a flight. Then they get what has been found, or else the catalog's
    /// answer, and the flight goes on.
    pub const MAX_WAIT: Duration = Duration::from_secs(3);

    /// With nothing under way and nothing known. `spawn` runs the flights; `max_requests` is how many requests may be
    /// answered at a time, whether they wait or not.
    #[must_use]
    pub fn new(spawn: Spawn, max_requests: usize) -> Self {
        let seats = Arc::new(Semaphore::new((max_requests / WAITING_SHARE).clamp(1, MAX_WAITING)));
        Self { flights: Mutex::default(), seats, kept: Kept::new(), tally: Tally::default(), spawn }
    }

    /// How often what happened since the start.
    #[must_use]
    pub fn counts(&self) -> ReadThroughCounts {
        self.tally.counts()
    }

    /// Joins the flight for a key, or remembers the last one, or starts one that asks `registries`. None where not
    /// one of them may be asked now.
    fn prospect(
        self: &Arc<Self>,
        key: Key,
        registries: &[Arc<Registry>],
        settings: &ReadThroughSettings,
    ) -> Option<Prospect> {
        // Held throughout: a flight leaves its outcome before it leaves the list, so there is never a second one.
        let mut flights = self.flights();
        if let Some(flying) = flights.get(&key) {
            self.tally.collapsed.fetch_add(1, Ordering::Relaxed);
            return Some(Prospect::Flight(self.wait_for(flying.clone(), false)));
        }
        if let Some(outcome) = self.kept.get(&key).filter(|outcome| outcome.covers(registries)) {
            return Some(Prospect::Kept(outcome));
        }
        let tickets = self.tickets(registries, flights.len());
        if tickets.is_empty() {
            return None;
        }
        let (sender, report) = watch::channel(Report::UnderWay(None));
        let flying = Flying { report, until: Instant::now() + Self::MAX_WAIT };
        flights.insert(key.clone(), flying.clone());
        drop(flights);
        let candidates = registries.iter().map(Arc::downgrade).collect();
        let negative_ttl = settings.negative_ttl;
        let landing = Landing { read_through: Arc::clone(self), key, candidates, negative_ttl, sender };
        (self.spawn)(Box::pin(trace::carried(fly(landing, tickets))));
        Some(Prospect::Flight(self.wait_for(flying, true)))
    }

    /// Has a request wait for a flight. Where too many do already, what is found now has to do.
    fn wait_for(&self, Flying { report, until }: Flying, is_own: bool) -> Waiting {
        let now = Instant::now();
        let seat = (now < until).then(|| Arc::clone(&self.seats).try_acquire_owned().ok());
        if matches!(seat, Some(None)) {
            self.tally.crowded.fetch_add(1, Ordering::Relaxed);
        }
        let seat = seat.flatten();
        Waiting { report, until: if seat.is_some() { until } else { now }, is_own, _seat: seat }
    }

    /// The right to ask each registry that may be asked now.
    fn tickets(&self, registries: &[Arc<Registry>], flights: usize) -> Vec<Ticket> {
        let now = Instant::now();
        let ticket =
            |registry: &Arc<Registry>| if flights < MAX_FLIGHTS { registry.ticket(now) } else { Err(Refusal::Full) };
        let tickets: Vec<Ticket> = registries.iter().filter_map(|registry| ticket(registry).ok()).collect();
        self.tally.refused.fetch_add((registries.len() - tickets.len()) as u64, Ordering::Relaxed);
        tickets
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Key, Flying>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Prospect {
    /// Waits for the outcome, for so long and no longer. None where nothing has been found by then.
    async fn outcome(self) -> Option<(Arc<Outcome>, Source)> {
        let mut waiting = match self {
            Self::Kept(outcome) => {
                let seconds_left = outcome.seconds_left(std::time::Instant::now());
                return Some((outcome, Source::Remembered { seconds_left }));
            }
            Self::Flight(waiting) => waiting,
        };
        // Whether it has landed, is late, or broke off: what it has reported is what there is.
        drop(timeout_at(waiting.until, waiting.report.wait_for(Report::has_landed)).await);
        let (outcome, is_stored) = match waiting.report.borrow().clone() {
            Report::UnderWay(found) => (found?, false),
            Report::Landed(outcome, is_stored) => (outcome, is_stored),
        };
        let source = if waiting.is_own { Source::Fetched { is_stored } } else { Source::Collapsed };
        Some((outcome, source))
    }
}

/// What a flight leaves behind, however it ends.
struct Landing {
    read_through: Arc<ReadThrough>,
    key: Key,
    candidates: Vec<Weak<Registry>>,
    negative_ttl: Duration,
    sender: watch::Sender<Report>,
}

impl Landing {
    /// Tells what has been found by now, for those who cannot wait for the rest.
    fn report(&self, found: Found) {
        let outcome = Arc::new(self.outcome(found, false, Duration::ZERO));
        self.sender.send_replace(Report::UnderWay(Some(outcome)));
    }

    /// Leaves what was found, of which the oldest part is so old.
    fn land(self, found: Found, is_whole: bool, age: Duration) {
        let outcome = Arc::new(self.outcome(found, is_whole, age));
        let is_stored = self.read_through.kept.put(self.key.clone(), Arc::clone(&outcome));
        self.sender.send_replace(Report::Landed(outcome, is_stored));
    }

    fn outcome(&self, found: Found, is_whole: bool, age: Duration) -> Outcome {
        Outcome::new(self.candidates.clone(), found, is_whole, self.negative_ttl, age)
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        // Also after a panic, and where the process ends first: the next request may try again.
        self.read_through.flights().remove(&self.key);
    }
}

/// Asks everybody at once, and waits for all: what is remembered shall not depend on who answers first.
async fn fly(landing: Landing, tickets: Vec<Ticket>) {
    let span = Span::part("read-through", || {
        let registries = i64::try_from(tickets.len()).unwrap_or(i64::MAX);
        vec![
            trace::text("mcp_registry_proxy.server_name", landing.key.name.as_str()),
            KeyValue::new("mcp_registry_proxy.registries_asked", registries),
        ]
    });
    span.run(ask_all(landing, tickets)).await;
}

async fn ask_all(landing: Landing, tickets: Vec<Ticket>) {
    let mut is_whole = tickets.len() == landing.candidates.len();
    let tally = &landing.read_through.tally;
    let mut asking = JoinSet::new();
    for ticket in tickets {
        let (key, negative_ttl) = (landing.key.clone(), landing.negative_ttl);
        asking.spawn(trace::carried(async move {
            let registry = Arc::clone(ticket.registry());
            (registry, ticket.look_up(&key.name, &key.asked, negative_ttl).await)
        }));
    }
    let (mut found, mut oldest) = (Vec::new(), Duration::ZERO);
    while let Some(answered) = asking.join_next().await {
        let said = answered.map(|(registry, Answer { said, age })| {
            oldest = oldest.max(age);
            (registry, said)
        });
        let counter = match said {
            Ok((registry, LookUp::Found(entries))) => {
                found.push((Arc::downgrade(&registry), entries));
                landing.report(found.clone());
                &tally.found
            }
            Ok((_, LookUp::NotListed)) => &tally.not_listed,
            Ok((registry, LookUp::NoAnswer(error))) => {
                tracing::debug!(registry = registry.name(), name = %landing.key.name, %error, "look-up failed");
                is_whole = false;
                &tally.failed
            }
            Err(panicked) => {
                tracing::error!(name = %landing.key.name, error = %panicked, "a look-up panicked");
                is_whole = false;
                &tally.failed
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
    landing.land(found, is_whole, oldest);
}

#[cfg(test)]
#[path = "read_through/tests.rs"]
mod tests;
