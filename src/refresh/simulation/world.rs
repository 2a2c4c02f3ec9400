//! Many registries, the merge, and the time: what happens in which order, and what must hold after each of it.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::faults::{Fault, Kind};
use super::member::{Member, What};
use super::reference::{self, Part};
use crate::catalog::merge::{Moment, Policy, Source, merge};
use crate::catalog::{Catalog, MergeMode};
use crate::refresh::schedule::Now;
use crate::refresh::sources::Sources;
use crate::registry::config::NetworkConfig;
use crate::registry::health::State;
use crate::registry::increments::UpdatedSince;
use crate::registry::{Network, Registry};

/// How many events a failure is reported with.
const REPORTED_EVENTS: usize = 30;
/// How much of the time something happens before it is quiet.
const TURBULENT: Duration = Duration::from_hours(24 * 10);
/// More than this in a day is an endless loop.
const MOST_STEPS_A_DAY: u64 = 50_000;
const DAY: Duration = Duration::from_hours(24);

/// A proxy and its registries.
pub(super) struct World {
    seed: u64,
    kinds: Vec<Kind>,
    members: Vec<Member>,
    registries: Vec<Arc<Registry>>,
    policy: Policy,
    changed: Arc<Notify>,
    merged: Vec<Source>,
    catalog: Catalog,
    is_ready: bool,
    /// When the sources are read again, though nobody told to.
    read_at: Duration,
    start: Now,
    clock: Duration,
    is_turbulent: bool,
    happens_at: Duration,
    steps: u64,
    events: VecDeque<(Duration, usize, What)>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        fastrand::seed(seed);
        let start = Now { at: Instant::now(), wall: "2026-06-01T09:00:00Z".parse().expect("a time") };
        let (count, changed) = (fastrand::usize(3..=8), Arc::new(Notify::new()));
        let network = Network::new(&NetworkConfig { proxy: Some("off".into()), ca_file: None }).expect("a network");
        let steady = fastrand::usize(0..count);
        let members: Vec<Member> =
            (0..count).map(|index| Member::random(index, index == steady, start, &network, &changed)).collect();
        let mode = if fastrand::u32(0..4) == 0 { MergeMode::First } else { MergeMode::Union };
        Self {
            seed,
            kinds: Kind::swarm(),
            registries: members.iter().map(|member| Arc::clone(&member.registry)).collect(),
            members,
            policy: Policy { mode, ..Policy::default() },
            changed,
            merged: Vec::new(),
            catalog: Catalog::default(),
            is_ready: false,
            read_at: Duration::ZERO,
            start,
            clock: Duration::ZERO,
            is_turbulent: true,
            happens_at: Duration::ZERO,
            steps: 0,
            events: VecDeque::new(),
        }
    }

    fn now(&self) -> Now {
        Now { at: self.start.at + self.clock, wall: self.start.wall + self.clock }
    }

    /// Lets turbulent and quiet times follow one another for so many days at least. Says how many there were.
    pub(super) fn run(&mut self, days: u64) -> u64 {
        while self.clock < DAY * u32::try_from(days).unwrap_or(u32::MAX) {
            self.pass(self.clock + TURBULENT);
            self.calm_down();
            self.pass(self.clock + self.settling_time());
            self.check_agreement();
            self.is_turbulent = true;
        }
        self.check_budgets();
        self.clock.as_secs() / DAY.as_secs()
    }

    fn pass(&mut self, end: Duration) {
        while self.clock < end {
            let next = self.members.iter().map(|member| member.next().min(member.fault_until));
            let next = next.chain([self.happens_at, self.read_at, end]).min().unwrap_or(end);
            self.clock = self.clock.max(next);
            self.steps += 1;
            assert!(self.steps < (self.clock.as_secs() / DAY.as_secs() + 1) * MOST_STEPS_A_DAY, "an endless loop");
            self.step();
        }
    }

    fn step(&mut self) {
        let (clock, now) = (self.clock, self.now());
        if self.happens_at <= clock {
            self.happen();
        }
        for (index, member) in self.members.iter_mut().enumerate() {
            if member.fault_until <= clock {
                (member.fault_until, member.model.fault) = (Duration::MAX, None);
                member.events.push(What::Faulty(None));
            }
            if member.next() <= clock {
                member.step(clock, now);
            }
            self.events.extend(member.events.drain(..).map(|what| (clock, index, what)));
        }
        let is_published = self.publish();
        let surplus = self.events.len().saturating_sub(REPORTED_EVENTS);
        self.events.drain(..surplus);
        self.check(is_published);
    }

    /// Does what the task `publish` does. Says whether there is another catalog.
    fn publish(&mut self) -> bool {
        let is_told = pin!(self.changed.notified()).enable();
        if !is_told && self.clock < self.read_at {
            return false;
        }
        let now = self.now().wall;
        let sources = Sources::read(&self.registries, now);
        let is_due = sources.differ_from(&self.merged);
        if is_due {
            let moment = Moment { now, is_ready: self.is_ready };
            let catalog = merge(&self.policy, &sources.parts, &self.catalog, moment);
            assert!(self.catalog.revision < catalog.revision, "revisions increase");
            self.catalog = catalog;
            self.merged = sources.parts;
            self.events.push_back((self.clock, usize::MAX, What::Published(self.catalog.revision)));
        }
        self.is_ready |= sources.are_attempted;
        self.read_at = self.clock + sources.expire_in;
        is_due
    }

    fn check(&mut self, is_published: bool) {
        let now = self.now().wall;
        let mut is_news = is_published;
        for (member, participant) in self.members.iter_mut().zip(&self.catalog.registries) {
            if std::mem::take(&mut member.is_touched) {
                member.witness.check(&member.registry);
            }
            is_news |= std::mem::take(&mut member.witness.is_news);
            let is_usable = member.witness.is_usable(now);
            assert_eq!(participant.usable, is_usable, "whether {} may be served", participant.rules.name);
        }
        if is_news {
            let parts: Vec<Part<'_>> = self.members.iter().map(|member| member.part(now)).collect();
            reference::check(&self.catalog, self.policy.mode, &parts);
            self.check_steady();
        }
    }

    /// Whatever others do: what a registry claims, and lists without fail, is served as it lists it.
    fn check_steady(&self) {
        let steady = self.members.iter().enumerate().filter(|(_, member)| member.is_steady);
        for (index, member) in steady {
            assert_ne!(member.witness.vitals.state, State::Unhealthy, "a steady registry");
            let known = member.witness.known().into_iter().flatten();
            for ((name, version), entry) in known.filter(|((name, _), _)| name.as_str().starts_with("com.steady/")) {
                let found = self.catalog.server(name.as_str()).and_then(|server| server.version(entry.version()));
                assert_eq!(found.map(|found| found.registry), Some(index), "{name} {version} of a steady registry");
            }
        }
    }

    fn happen(&mut self) {
        let count = self.members.len();
        self.happens_at = self.clock + (DAY * 2).mul_f64(fastrand::f64()) / u32::try_from(count).unwrap_or(1);
        let index = fastrand::usize(0..count);
        if !self.is_turbulent || self.members[index].is_steady {
            return;
        }
        let kind =
            (!self.kinds.is_empty() && fastrand::bool()).then(|| self.kinds[fastrand::usize(0..self.kinds.len())]);
        let (clock, now) = (self.clock, self.now());
        let member = &mut self.members[index];
        match kind {
            None => mutate(member, now.wall),
            Some(kind) => afflict(member, kind, clock, now),
        }
    }

    /// Ends all faults. Whoever is off remains so: it is the registry's way.
    fn calm_down(&mut self) {
        self.is_turbulent = false;
        for member in &mut self.members {
            (member.fault_until, member.model.fault) = (Duration::MAX, None);
        }
    }

    /// How long it takes until a full walk has come to its end, and another one has confirmed it.
    fn settling_time(&self) -> Duration {
        let times = self.members.iter().map(|member| {
            let health = &member.registry.settings().health;
            let full = member.schedule.full_interval.mul_f64(1.1) + Duration::from_hours(2);
            full * 2 + member.schedule.interval.mul_f64(2.2) + health.interval * (health.healthy_after + 1)
        });
        times.max().unwrap_or_default()
    }

    /// After quiet time, all registries are healthy, and what they list is what is known of them.
    fn check_agreement(&self) {
        for (index, member) in self.members.iter().enumerate() {
            assert_eq!(member.witness.vitals.state, State::Healthy, "r{index} after quiet time");
            member.witness.check_agreement(&member.model.rows);
        }
    }

    fn check_budgets(&self) {
        for (index, member) in self.members.iter().enumerate() {
            let (witness, more) = (&member.witness, f64::from(member.disturbances));
            let shortest = member.schedule.interval.as_secs_f64() * 0.9;
            let most = self.clock.as_secs_f64() / shortest + 2.0 * more + f64::from(witness.walks) + 2.0;
            assert!(f64::from(witness.increments) <= most, "{} increments of r{index}", witness.increments);
            let full = member.schedule.full_interval.as_secs_f64() * 0.9;
            let spacing = if member.is_steady { full } else { shortest };
            let most = self.clock.as_secs_f64() / spacing + 2.0 * more + 2.0;
            assert!(f64::from(witness.walks) <= most, "{} walks of r{index}, at most {most}", witness.walks);
        }
    }
}

fn mutate(member: &mut Member, now: Timestamp) {
    let model = &mut member.model;
    let what = match fastrand::u32(0..10) {
        0..6 => {
            (0..fastrand::u32(1..4)).for_each(|_| model.publish(now));
            "published"
        }
        6..8 => {
            model.turn("deleted", now);
            "deleted"
        }
        8 => {
            model.turn("deprecated", now);
            "deprecated"
        }
        _ => {
            model.turn("active", now);
            "active again"
        }
    };
    member.events.push(What::Changed(what));
}

fn afflict(member: &mut Member, kind: Kind, clock: Duration, now: Now) {
    let model = &mut member.model;
    if let Some(fault) = Fault::of(kind) {
        model.fault = Some(fault.clone());
        // From seconds to half a day, as likely short as long.
        member.fault_until = clock + Duration::from_secs(10).mul_f64(10_f64.powf(fastrand::f64() * 3.6));
        member.events.push(What::Faulty(Some(fault)));
        return;
    }
    let what = match kind {
        Kind::Skew => {
            let minutes = [0, 0, -3, 30, -1_440, 1_440][fastrand::usize(0..6)];
            model.skew = (fastrand::u32(0..4) > 0).then(|| SignedDuration::from_mins(minutes));
            "skewed"
        }
        Kind::Habit => {
            let habits = [UpdatedSince::Honoured, UpdatedSince::Ignored, UpdatedSince::Rejected];
            model.knows = habits[fastrand::usize(0..3)];
            model.knows.as_str()
        }
        Kind::Purge => {
            model.purge();
            "purged"
        }
        Kind::Administrator => {
            member.ask(fastrand::u32(0..4) == 0, clock);
            "asked for"
        }
        Kind::Restart => {
            member.restart(clock, now);
            "restarted"
        }
        _ if fastrand::bool() => {
            model.rewrite();
            "rewritten silently"
        }
        _ => {
            model.remove();
            "removed silently"
        }
    };
    member.events.push(What::Changed(what));
}

impl Drop for World {
    #[expect(clippy::print_stderr, reason = "that is what the failing test is repeated with")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "SIMULATION_SEED={} fails on day {} ({}), with {} registries, {:?}, and these faults enabled: {:?}",
                self.seed,
                self.clock.as_secs() / DAY.as_secs(),
                self.now().wall,
                self.members.len(),
                self.policy.mode,
                self.kinds
            );
            let members = self.members.iter().enumerate();
            let pending = members.flat_map(|(index, member)| member.events.iter().map(move |what| (index, what)));
            let noted = self.events.iter().map(|(at, index, what)| (*at, *index, what));
            for (at, index, what) in noted.chain(pending.map(|(index, what)| (self.clock, index, what))) {
                let who = if index == usize::MAX { "proxy".to_owned() } else { format!("r{index}") };
                eprintln!("{} {who}: {what:?}", self.start.wall + at);
            }
        }
    }
}
