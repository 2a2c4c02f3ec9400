//! One registry of a simulation: the model, the program's own state machines, and the witness beside them. The program
//! asks through them alone; what `refresh::watch`, `refresh::sync` and the registry's gate do with tasks and waiting is
//! done here with times.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

use super::faults::Fault;
use super::reference::Part;
use super::registry::{Answer, ModelRegistry};
use super::witness::{Arrival, Witness};
use crate::refresh::Config;
use crate::refresh::schedule::Now;
use crate::refresh::synchroniser::{Request, Step, Synchroniser};
use crate::registry::config::Config as RegistryConfig;
use crate::registry::error::FetchError;
use crate::registry::health::{self, Outcome, State, WhenUnhealthy};
use crate::registry::increments::UpdatedSince;
use crate::registry::limits::Limits;
use crate::registry::probe::{Check, Timing};
use crate::registry::{Fetched, Network, OwnIds, Registry, Settings};

/// Requests a second: what the gate keeps to.
const MAX_RATE: f64 = 2.0;
/// The most pages of a walk; models have fewer, unless they never end.
const MAX_PAGES: u32 = 12;
/// What a registry's `Retry-After` is clamped to.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// What happened, for the report of a failure.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "it is printed")]
pub(super) enum What {
    Tested(Outcome, State),
    Asked { is_increment: bool, cursor: Option<String> },
    Arrived { is_increment: bool, outcome: Result<usize, String> },
    Dropped,
    Faulty(Option<Fault>),
    Changed(&'static str),
    Published(u64),
}

struct InFlight {
    request: Request,
    answer: Answer,
    until: Duration,
}

/// One registry of a simulation.
pub(super) struct Member {
    pub(super) registry: Arc<Registry>,
    pub(super) model: ModelRegistry,
    pub(super) witness: Witness,
    pub(super) schedule: Config,
    /// Whether nothing ever happens to it.
    pub(super) is_steady: bool,
    pub(super) fault_until: Duration,
    claims: Option<&'static str>,
    excludes: Option<&'static str>,
    synchroniser: Synchroniser,
    in_flight: Option<InFlight>,
    test_at: Duration,
    /// Since when a test waits for the page in flight.
    test_since: Option<Duration>,
    wake_at: Duration,
    /// When the gate lets the next page through.
    gate_at: Duration,
    /// Until when the present page must not be asked for: of the walk and of the increment that began then.
    not_before: [(Option<Timestamp>, Timestamp); 2],
    /// What may cost more requests than the schedule says.
    pub(super) disturbances: u32,
    pub(super) events: Vec<What>,
    /// Whether something has been done since the last look.
    pub(super) is_touched: bool,
}

fn one_of<T: Copy>(choices: &[T]) -> T {
    choices[fastrand::usize(0..choices.len())]
}

fn random_health() -> health::Config {
    health::Config {
        interval: Duration::from_mins(one_of(&[10, 30, 60, 60, 120, 240])),
        // Longer than a page takes: one that is in the way for longer makes a test fail.
        timeout: Duration::from_secs(one_of(&[5, 10])),
        unhealthy_after: fastrand::u32(1..5),
        healthy_after: fastrand::u32(1..4),
        when_unhealthy: one_of(&[WhenUnhealthy::Drop, WhenUnhealthy::ServeStale]),
        max_stale: Duration::from_mins(one_of(&[30, 200, 1_440])),
    }
}

fn random_schedule() -> Config {
    let (interval, full_interval) = one_of(&[(30, 90), (60, 360), (120, 480), (180, 720), (240, 720), (360, 1_440)]);
    Config {
        interval: Duration::from_mins(interval),
        full_interval: Duration::from_mins(full_interval),
        max_rate: MAX_RATE,
    }
}

impl Member {
    /// A random registry. A steady one claims a namespace that others list things in, too.
    pub(super) fn random(index: usize, is_steady: bool, now: Now, network: &Network, changed: &Arc<Notify>) -> Self {
        let claims = if is_steady { Some("com.steady/") } else { one_of(&[None, None, None, Some("com.acme/")]) };
        let excludes = one_of(&[None, None, None, Some("a/1"), Some("b/")]).filter(|_| !is_steady);
        let pattern = |start: Option<&str>| start.map(|start| format!("{start}*")).into_iter().collect();
        let config = RegistryConfig {
            name: format!("r{index}"),
            url: Some(format!("http://127.0.0.1:9/{index}/servers").into()),
            namespaces: pattern(claims),
            exclude: pattern(excludes),
            ..RegistryConfig::default()
        };
        let settings = Settings {
            health: random_health(),
            max_rate: MAX_RATE,
            limits: Limits { max_pages: MAX_PAGES, ..Limits::default() },
            provenance_key: "k".into(),
            read_through: false,
            own_ids: OwnIds::default(),
            common: None,
        };
        let (rules, target) = (config.rules().expect("rules"), config.target().expect("a target"));
        let witness = Witness::new(settings.health.clone());
        let registry = Registry::new(rules, target, settings, network, Arc::clone(changed)).expect("a client");
        let (registry, schedule) = (Arc::new(registry), random_schedule());
        // The guard has nothing to say of small ones.
        let names = if fastrand::u32(0..6) == 0 { 30 } else { fastrand::usize(4..14) };
        Self {
            synchroniser: Synchroniser::new(Arc::clone(&registry), schedule.clone(), now, fastrand::f64),
            model: ModelRegistry::random(names, now.wall),
            registry,
            witness,
            schedule,
            is_steady,
            fault_until: Duration::MAX,
            claims,
            excludes,
            in_flight: None,
            test_at: Duration::from_secs(fastrand::u64(0..30)),
            test_since: None,
            wake_at: Duration::ZERO,
            gate_at: Duration::ZERO,
            not_before: [(None, Timestamp::MIN); 2],
            disturbances: 0,
            events: Vec::new(),
            is_touched: true,
        }
    }

    /// What the reference needs to know.
    pub(super) fn part(&self, now: Timestamp) -> Part<'_> {
        let listing = self.witness.listing();
        Part { listing, is_usable: self.witness.is_usable(now), claims: self.claims, excludes: self.excludes }
    }

    /// When something happens next.
    pub(super) fn next(&self) -> Duration {
        let sync = self.in_flight.as_ref().map_or(self.wake_at, |in_flight| in_flight.until);
        self.test_at.min(sync)
    }

    /// Does what is due.
    pub(super) fn step(&mut self, clock: Duration, now: Now) {
        self.is_touched = true;
        if self.in_flight.as_ref().is_some_and(|in_flight| in_flight.until <= clock) {
            self.land(clock, now);
        }
        // The gate is fair: a test that waits comes before the next page.
        if self.test_at <= clock {
            self.test(clock, now);
        }
        if self.in_flight.is_none() && self.wake_at <= clock {
            self.synchronise(clock, now);
        }
    }

    /// Starts the synchroniser again, as after a panic.
    pub(super) fn restart(&mut self, clock: Duration, now: Now) {
        self.synchroniser = Synchroniser::new(Arc::clone(&self.registry), self.schedule.clone(), now, fastrand::f64);
        (self.in_flight, self.wake_at) = (None, clock);
        self.witness.see((None, None));
        self.disturbances += 1;
    }

    /// Does what an administrator asks for.
    pub(super) fn ask(&mut self, is_accepted: bool, clock: Duration) {
        self.registry.request_refresh(is_accepted);
        self.witness.ask(is_accepted);
        self.is_touched = true;
        self.wake_at = clock;
        self.disturbances += 1;
    }

    fn test(&mut self, clock: Duration, now: Now) {
        let (since, timeout) = (*self.test_since.get_or_insert(clock), self.registry.settings().health.timeout);
        let result = match &self.in_flight {
            Some(in_flight) if clock < since + timeout => {
                self.test_at = in_flight.until.min(since + timeout);
                return;
            }
            Some(_) => Err(FetchError::Busy(timeout)),
            None => self.model.answer_test(now.wall).and_then(|page| self.registry.check_tested(&page)),
        };
        self.test_since = None;
        self.test_at = clock + self.registry.settings().health.interval;
        self.tell(result.as_ref().copied(), clock, now);
    }

    /// Tells the program and the witness what a test brought.
    fn tell(&mut self, result: Result<(), &FetchError>, clock: Duration, now: Now) {
        let was_walkable = *self.registry.watch_walkable().borrow();
        self.registry.observe_check(Check::new(now.wall, Timing::default(), result));
        let outcome = match result {
            Ok(()) => Outcome::Success,
            Err(FetchError::Loop) => Outcome::Loop,
            Err(FetchError::Status { status: 429, .. }) => Outcome::Neither,
            Err(_) => Outcome::Failure,
        };
        let state = self.registry.status().health.state;
        self.events.push(What::Tested(outcome, state));
        self.witness.test(outcome, state);
        let is_walkable = *self.registry.watch_walkable().borrow();
        if is_walkable != was_walkable {
            self.wake_at = clock;
            self.disturbances += 1;
            if self.in_flight.take_if(|_| !is_walkable).is_some() {
                self.events.push(What::Dropped);
            }
        }
    }

    /// Does what `sync` does until it waits.
    fn synchronise(&mut self, clock: Duration, now: Now) {
        self.synchroniser.set_requests(*self.registry.watch_requests().borrow());
        self.synchroniser.set_walkable(*self.registry.watch_walkable().borrow(), now);
        let step = self.synchroniser.next(now);
        self.witness.see(self.synchroniser.in_progress());
        match step {
            Step::Wait(until) => self.wake_at = clock + (until - now.at).max(Duration::from_millis(1)),
            Step::Fetch(_) if clock < self.gate_at => self.wake_at = self.gate_at,
            Step::Fetch(request) => self.fetch(request, clock, now),
        }
    }

    fn fetch(&mut self, request: Request, clock: Duration, now: Now) {
        let is_increment = request.query.updated_since.is_some();
        assert!(*self.registry.watch_walkable().borrow(), "a page is asked for that nobody may ask for");
        let (began, not_before) = self.not_before[usize::from(is_increment)];
        assert!(began != self.began(is_increment) || not_before <= now.wall, "asked before Retry-After is over");
        self.events.push(What::Asked { is_increment, cursor: request.query.cursor.clone() });
        let answer = self.model.answer(&request.query, now.wall);
        self.gate_at = clock + Duration::from_secs_f64(1.0 / MAX_RATE);
        self.in_flight = Some(InFlight { until: clock + answer.duration, request, answer });
    }

    fn began(&self, is_increment: bool) -> Option<Timestamp> {
        let (walk, increment) = self.synchroniser.in_progress();
        if is_increment { increment } else { walk }
    }

    /// Takes in the answer that has been on its way.
    fn land(&mut self, clock: Duration, now: Now) {
        let Some(InFlight { request, answer, .. }) = self.in_flight.take() else { return };
        let Answer { page, date, tag, is_sound, .. } = answer;
        let is_increment = request.query.updated_since.is_some();
        self.wake_at = clock;
        if let Err(error) = &page {
            self.note_retry_after(error, is_increment, now);
        }
        let page = page.map(|page| self.registry.exchange(&request.list, &request.query, tag, page));
        if let Err(FetchError::Loop) = page {
            self.tell(Err(&FetchError::Loop), clock, now);
        }
        let arrival = page.as_ref().ok().map(|page| {
            self.model.note_arrival(&request.query, page);
            let is_honest =
                self.model.knows == UpdatedSince::Honoured && !matches!(self.model.fault, Some(Fault::Endless));
            Arrival { page: page.clone(), is_increment, is_sound, is_honest, now: now.wall }
        });
        let outcome = page.as_ref().map(|page| page.entries.len()).map_err(ToString::to_string);
        self.events.push(What::Arrived { is_increment, outcome });
        self.synchroniser.observe(&request, page.map(|page| Fetched { page, date }), now);
        let after = self.synchroniser.in_progress();
        if let Some(arrival) = arrival {
            self.witness.arrive(arrival, after, &self.registry);
        }
        self.witness.see(after);
    }

    fn note_retry_after(&mut self, error: &FetchError, is_increment: bool, now: Now) {
        if let FetchError::Status { retry_after: Some(asked), .. } = error {
            let wait = (*asked).clamp(RETRY_AFTER.0, RETRY_AFTER.1);
            self.not_before[usize::from(is_increment)] = (self.began(is_increment), now.wall + wait);
        }
    }
}
