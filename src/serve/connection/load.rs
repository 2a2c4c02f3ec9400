//! How much is being answered at a time, over all connections of a listener and both HTTPs.
//!
//! Two things are counted, each for as long as it costs what it bounds. A **request** counts while its answer is being
//! made: that is work, and a client that takes nothing cannot prolong it. An answer counts with its **bytes** until
//! the client has taken it: that is memory. If requests counted as long as their answers, 21 connections of HTTP/2 with
//! 100 streams and windows of nothing would lock everybody out with answers of a few bytes.
//!
//! The bodies of requests have room of their own, a quarter as much, so that who posts slowly takes none from answers;
//! they count as they come, since what was only announced costs nothing.
//!
//! Of the bytes, one connection has its share, and when there is no room, answers of which nothing is taken are given
//! up sooner ([`Deadlines::look_again`](super::Deadlines::look_again)).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::time::{Duration, Instant};

use super::super::limits::Limits;
use super::super::seldom::Seldom;
use super::super::traffic::Traffic;
use super::counts::{Connections, PostedBodies};

/// How finely the bytes of answers are counted.
const UNIT_BYTES: u64 = 1 << 10;
/// What an answer with a body costs besides: its head, its stream, its task.
const STATE_BYTES: u64 = 4 << 10;
/// Into how many shares the bytes are divided, of which one connection has one.
const SHARES: usize = 16;
/// How much of the room for answers there is besides, for the bodies of requests.
const BODIES: usize = 4;
/// What the largest body takes while it is gathered, with its state: the least that there is room for.
const LARGEST_BODY_BYTES: u64 = 2 * super::super::reading::MAX_BODY_BYTES as u64 + STATE_BYTES;
/// How long it counts as a shortage that an answer found no room. Longer than `Deadlines::stall_when_full`, so that
/// whoever looks that often sees it.
const SHORT_FOR: Duration = Duration::from_secs(3);
/// How often refusals are said in the log, at most.
const SAY_INTERVAL: Duration = Duration::from_secs(10);

/// Room for so many of something; whoever finds none does not wait. As everywhere here, nothing is ordered by these
/// numbers, hence `Relaxed`.
#[derive(Debug)]
struct Room {
    all: usize,
    taken: AtomicUsize,
}

impl Room {
    fn new(all: usize) -> Self {
        Self { all, taken: AtomicUsize::new(0) }
    }

    /// Takes so much, if there is that much.
    fn take(&self, count: usize) -> bool {
        let with_it = |taken: usize| taken.checked_add(count).filter(|taken| *taken <= self.all);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_it).is_ok()
    }

    fn give_back(&self, count: usize) {
        self.taken.fetch_sub(count, Ordering::Relaxed);
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// What is in flight, and how much may be.
#[derive(Debug)]
pub struct Load {
    requests: Room,
    units: Room,
    bodies: Room,
    refused: AtomicU64,
    /// What was answered.
    pub(in super::super) traffic: Traffic,
    /// Connections.
    pub(in super::super) connections: Connections,
    /// Bodies of requests that were wanted.
    pub(in super::super) posted: PostedBodies,
    complaint: Seldom,
    born: Instant,
    /// Milliseconds from `born` to the end of the last shortage.
    short_until: AtomicU64,
}

/// The right to have one request answered, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<Share>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.load.requests.give_back(1);
    }
}

/// The right to have one answer on the way, until it is dropped.
#[derive(Debug)]
pub(super) struct Sending {
    share: Arc<Share>,
    units: usize,
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.share.load.units.give_back(self.units);
        self.share.taken.fetch_sub(self.units, Ordering::Relaxed);
    }
}

/// One connection's share of the room for answers.
#[derive(Debug)]
pub(super) struct Share {
    load: Arc<Load>,
    /// How much of it is taken, in units.
    taken: AtomicUsize,
    /// The same of the room for bodies of requests.
    receiving: AtomicUsize,
}

/// The right to have a body of a request, until it is dropped. It grows with what has come.
#[derive(Debug)]
pub(super) struct Receiving {
    share: Arc<Share>,
    units: usize,
}

impl Receiving {
    /// Room for a body of which nothing has come yet, if there is.
    pub(super) fn begin(share: &Arc<Share>) -> Option<Self> {
        let mut receiving = Self { share: Arc::clone(share), units: 0 };
        receiving.grow_to(0).then_some(receiving)
    }

    /// Takes room for so many bytes in all, if there is that much and its connection has not had its share.
    pub(super) fn grow_to(&mut self, bytes: usize) -> bool {
        let load = &self.share.load;
        let more = units_of(bytes as u64 + STATE_BYTES).saturating_sub(self.units);
        let taken = self.share.receiving.fetch_add(more, Ordering::Relaxed);
        let share = (load.bodies.all / SHARES).max(units_of(LARGEST_BODY_BYTES));
        if taken + more <= share && load.bodies.take(more) {
            self.units += more;
            return true;
        }
        self.share.receiving.fetch_sub(more, Ordering::Relaxed);
        load.refuse();
        false
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.share.load.bodies.give_back(self.units);
        self.share.receiving.fetch_sub(self.units, Ordering::Relaxed);
    }
}

/// So many bytes, in units.
fn units_of(bytes: u64) -> usize {
    usize::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(usize::MAX)
}

impl Share {
    /// Nothing of it is taken yet.
    pub(super) fn of(load: Arc<Load>) -> Arc<Self> {
        Arc::new(Self { load, taken: AtomicUsize::new(0), receiving: AtomicUsize::new(0) })
    }

    /// What it is a share of.
    pub(super) fn load(&self) -> &Load {
        &self.load
    }

    /// Lets a request in, if there is room for one.
    pub(super) fn admit_request(self: &Arc<Self>) -> Option<Slot> {
        let has_room = self.load.requests.take(1);
        if !has_room {
            self.load.refuse();
        }
        has_room.then(|| Slot(Arc::clone(self)))
    }

    /// Lets an answer out, if there is room for so many bytes, and if its connection has not had its share. One that is
    /// larger than all the room there is goes alone, and one that is larger than a share is its connection's only one.
    pub(super) fn admit(self: &Arc<Self>, bytes: u64) -> Option<Sending> {
        let room = &self.load.units;
        let cost = if bytes == 0 { 0 } else { bytes.saturating_add(STATE_BYTES) };
        let units = units_of(cost).min(room.all);
        let taken = self.taken.fetch_add(units, Ordering::Relaxed);
        let is_within_share = taken == 0 || units == 0 || taken + units <= room.all / SHARES;
        if is_within_share && room.take(units) {
            return Some(Sending { share: Arc::clone(self), units });
        }
        self.taken.fetch_sub(units, Ordering::Relaxed);
        if is_within_share {
            self.load.note_shortage();
        }
        self.load.refuse();
        None
    }
}

impl Load {
    /// Nothing is in flight yet.
    pub(in super::super) fn new(limits: &Limits) -> Self {
        let units = limits.max_sending_size.div_ceil(usize::try_from(UNIT_BYTES).unwrap_or(usize::MAX));
        Self {
            requests: Room::new(limits.requests),
            units: Room::new(units.max(1)),
            bodies: Room::new((units / BODIES).max(units_of(LARGEST_BODY_BYTES))),
            refused: AtomicU64::new(0),
            traffic: Traffic::default(),
            connections: Connections::default(),
            posted: PostedBodies::default(),
            complaint: Seldom::every(SAY_INTERVAL),
            born: Instant::now(),
            short_until: AtomicU64::new(0),
        }
    }

    /// How many requests are being answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.requests.taken()
    }

    /// How many bytes answers on their way to clients count with.
    pub(in super::super) fn sending_bytes(&self) -> u64 {
        self.units.taken() as u64 * UNIT_BYTES
    }

    /// How many requests have been refused because too many were in flight, or too much.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether an answer found no room lately.
    pub(super) fn is_short(&self, now: Instant) -> bool {
        self.since_born(now) < self.short_until.load(Ordering::Relaxed)
    }

    /// An answer found no room.
    fn note_shortage(&self) {
        let until = self.since_born(Instant::now() + SHORT_FOR);
        self.short_until.store(until, Ordering::Relaxed);
    }

    fn since_born(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX)
    }

    fn refuse(&self) {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if self.complaint.may(Instant::now()) {
            let in_flight = self.in_flight();
            tracing::warn!(
                in_flight,
                refused,
                "too much is being answered (`limits.requests`, `limits.max_sending_size`)"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1 << 10;

    fn load(requests: usize, max_sending_size: usize) -> Arc<Load> {
        Arc::new(Load::new(&Limits { requests, max_sending_size, ..Limits::default() }))
    }

    #[tokio::test]
    async fn so_many_requests_are_in_flight_and_no_more() {
        let load = load(2, 1 << 20);
        let admit = || Share::of(Arc::clone(&load)).admit_request();
        let (first, _second) = (admit().expect("room"), admit().expect("room"));
        assert!(admit().is_none());
        assert_eq!((load.in_flight(), load.refused()), (2, 1));
        drop(first);
        assert!(admit().is_some());
        assert_eq!((load.in_flight(), load.refused()), (1, 1));
        assert!(!load.is_short(Instant::now()), "that says nothing of bytes");
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_bytes_are_on_the_way_and_no_more() {
        let load = load(10, 64 << 10);
        let admit = |bytes| Share::of(Arc::clone(&load)).admit(bytes);
        let most = admit(36 * KIB).expect("room for it and its state");
        assert!(admit(20 * KIB + 1).is_none());
        assert!(load.is_short(Instant::now()));
        let rest = admit(20 * KIB).expect("room");
        assert!(admit(1).is_none());
        assert!(admit(0).is_some(), "an answer without a body");
        drop((most, rest));
        let huge = admit(1 << 40).expect("it goes alone");
        assert!(admit(1).is_none());
        drop(huge);
        assert!(admit(1).is_some());
        assert!(!load.is_short(Instant::now() + SHORT_FOR), "it is over");
    }

    #[tokio::test]
    async fn bodies_have_room_of_their_own_and_each_connection_a_share_of_it() {
        let load = load(10, 64 << 20);
        let share = || Share::of(Arc::clone(&load));
        let one = share();
        let mut body = Receiving::begin(&one).expect("room");
        assert!(body.grow_to(2 << 20) && body.grow_to(1), "what was taken stays taken");
        assert!(!body.grow_to(3 << 20), "more than the share of a connection");
        assert!(Receiving::begin(&one).is_none(), "it has had its share");
        let mut others: Vec<_> = (0..8).filter_map(|_| Receiving::begin(&share())).collect();
        let grown = others.iter_mut().map(|body| body.grow_to(2 << 20)).filter(|has_grown| *has_grown).count();
        assert_eq!(grown, 6, "in 16 MiB, with the first one");
        assert!(share().admit(64 << 20).is_some(), "answers have their room");
        drop((body, others));
        assert_eq!((load.bodies.taken(), one.receiving.load(Ordering::Relaxed)), (0, 0));
        assert!(Receiving::begin(&one).is_some());
    }

    #[tokio::test]
    async fn one_connection_leaves_room_for_the_others() {
        let load = load(10, 1 << 20);
        let greedy = Share::of(Arc::clone(&load));
        let held: Vec<_> = std::iter::from_fn(|| greedy.admit(KIB)).collect();
        assert_eq!(held.len(), 12, "of 5 KiB each, in a sixteenth of 1 MiB");
        assert!(greedy.admit(0).is_some());
        assert!(!load.is_short(Instant::now()), "there is room for others");
        let alone = Share::of(Arc::clone(&load));
        let large = alone.admit(500 * KIB).expect("one may be larger");
        assert!(alone.admit(1).is_none());
        drop((held, large));
        assert!(alone.admit(1).is_some());
        assert_eq!((greedy.taken.load(Ordering::Relaxed), alone.taken.load(Ordering::Relaxed)), (0, 0));
    }
}
