//! What registries do to whoever asks them. Every seed enables some of it (swarm testing: what always happens together
//! hides what happens when one of it is missing).

use std::time::Duration;

use jiff::Timestamp;

use crate::registry::error::FetchError;
use crate::registry::wire::{Context, Page, decode};

/// How long a flapping registry is there, and how long it is not.
const FLAP: i64 = 1_700;

/// What can be enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Down,
    Failing,
    Limited,
    Flapping,
    Slow,
    Part,
    MidWalk,
    Empty,
    Garbage,
    Collapsed,
    Repeats,
    Circles,
    Endless,
    Loop,
    /// Its clock is off by up to a day.
    Skew,
    /// `updated_since` is honoured, ignored or rejected from now on.
    Habit,
    /// Versions change or vanish, and no date says so.
    Silent,
    /// Most of the list is removed for good.
    Purge,
    /// Administrators ask for walks, and accept what they bring.
    Administrator,
    /// The task that keeps the listing in step begins anew.
    Restart,
}

impl Kind {
    const ALL: [Self; 20] = [
        Self::Down,
        Self::Failing,
        Self::Limited,
        Self::Flapping,
        Self::Slow,
        Self::Part,
        Self::MidWalk,
        Self::Empty,
        Self::Garbage,
        Self::Collapsed,
        Self::Repeats,
        Self::Circles,
        Self::Endless,
        Self::Loop,
        Self::Skew,
        Self::Habit,
        Self::Silent,
        Self::Purge,
        Self::Administrator,
        Self::Restart,
    ];

    /// A random part of them.
    pub(super) fn swarm() -> Vec<Self> {
        let share = fastrand::u32(1..10);
        Self::ALL.into_iter().filter(|_| fastrand::u32(0..10) < share).collect()
    }
}

/// What is wrong with a registry's answers for a while.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    Down,
    Failing(u16),
    Limited(Option<Duration>),
    Flapping,
    Slow,
    Part,
    MidWalk(FetchError),
    Empty,
    Garbage,
    /// Only so many are left.
    Collapsed(usize),
    /// From the third page on, the page before comes again.
    Repeats,
    /// From the second page on, cursors lead back.
    Circles,
    Endless,
    Loop,
}

impl Fault {
    /// A fault of that kind, if it is one of answers.
    pub(super) fn of(kind: Kind) -> Option<Self> {
        let wait = || fastrand::bool().then(|| Duration::from_secs(fastrand::u64(0..600)));
        Some(match kind {
            Kind::Down => Self::Down,
            Kind::Failing => Self::Failing([500, 502, 503, 403, 404][fastrand::usize(0..5)]),
            Kind::Limited => Self::Limited(wait()),
            Kind::Flapping => Self::Flapping,
            Kind::Slow => Self::Slow,
            Kind::Part => Self::Part,
            Kind::MidWalk if fastrand::bool() => Self::MidWalk(FetchError::Interrupted("reset".to_owned())),
            Kind::MidWalk => Self::MidWalk(FetchError::Status { status: 500, retry_after: wait() }),
            Kind::Empty => Self::Empty,
            Kind::Garbage => Self::Garbage,
            Kind::Collapsed => Self::Collapsed([1, 3, 12][fastrand::usize(0..3)]),
            Kind::Repeats => Self::Repeats,
            Kind::Circles => Self::Circles,
            Kind::Endless => Self::Endless,
            Kind::Loop => Self::Loop,
            Kind::Skew | Kind::Habit | Kind::Silent | Kind::Purge | Kind::Administrator | Kind::Restart => return None,
        })
    }

    /// How every request fails.
    pub(super) fn of_everything(&self, now: Timestamp) -> Option<FetchError> {
        let down = FetchError::Connect("refused".to_owned());
        match self {
            Self::Down => Some(down),
            Self::Flapping => (now.as_second() / FLAP % 2 == 0).then_some(down),
            Self::Failing(status) => Some(FetchError::Status { status: *status, retry_after: None }),
            Self::Limited(retry_after) => Some(FetchError::Status { status: 429, retry_after: *retry_after }),
            Self::Slow => Some(FetchError::Timeout(Duration::from_secs(75))),
            Self::Loop => Some(FetchError::Loop),
            _ => None,
        }
    }

    /// How requests for pages fail.
    pub(super) fn of_pages(&self, is_later_page: bool) -> Option<FetchError> {
        match self {
            Self::Part => Some(FetchError::Partial),
            Self::MidWalk(error) => is_later_page.then(|| error.clone()),
            _ => None,
        }
    }
}

/// What a server sends that is no registry, or none at the moment. A list of something else counts as a page of bad
/// entries where there have been good ones, so later pages are never that.
pub(super) fn garbage(is_later_page: bool) -> Result<Page, FetchError> {
    let context =
        Context { now: Timestamp::UNIX_EPOCH, provenance_key: "k", previous: None, max_entry_size: 256 << 10 };
    let bodies: [&[u8]; 4] =
        [b"<!doctype html><title>Sign in</title>", b"", b"{\"servers\":[{\"server\":", b"[{\"id\":1},{\"id\":2}]"];
    Ok(decode(bodies[fastrand::usize(0..if is_later_page { 3 } else { 4 })], &context)?)
}
