//! How much is being answered at a time, over all connections of a listener and both HTTPs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, Instant};

use super::super::limits::Limits;

/// How finely the bytes of answers are counted.
const UNIT_BYTES: usize = 1 << 10;
/// How often refusals are said in the log, at most.
const SAY_INTERVAL: Duration = Duration::from_secs(10);

/// What is in flight, and how much may be.
#[derive(Debug)]
pub struct Load {
    requests: Arc<Semaphore>,
    most_requests: usize,
    units: Arc<Semaphore>,
    most_units: u32,
    refused: AtomicU64,
    born: Instant,
    /// Milliseconds from `born` to when a refusal may be said again.
    say_at: AtomicU64,
}

/// The right to have one request in flight, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    _request: OwnedSemaphorePermit,
    _bytes: Option<OwnedSemaphorePermit>,
}

impl Load {
    /// Nothing is in flight yet.
    pub(in super::super) fn new(limits: &Limits) -> Self {
        let units = (limits.max_sending_size / UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        let most_units = u32::try_from(units).unwrap_or(u32::MAX);
        Self {
            requests: Arc::new(Semaphore::new(limits.requests)),
            most_requests: limits.requests,
            units: Arc::new(Semaphore::new(most_units as usize)),
            most_units,
            refused: AtomicU64::new(0),
            born: Instant::now(),
            say_at: AtomicU64::new(0),
        }
    }

    /// How many requests are being answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.most_requests.saturating_sub(self.requests.available_permits())
    }

    /// How many requests have been refused because too many were in flight, or too much.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Lets a request in, if there is room for one.
    pub(super) fn admit(&self) -> Option<Slot> {
        let request = Arc::clone(&self.requests).try_acquire_owned().ok();
        if request.is_none() {
            self.refuse();
        }
        request.map(|request| Slot { _request: request, _bytes: None })
    }

    /// Lets its answer out, if there is room for so many bytes. One that is larger than all the room there is goes
    /// alone.
    pub(super) fn admit_bytes(&self, slot: Slot, bytes: u64) -> Option<Slot> {
        let units = bytes.div_ceil(UNIT_BYTES as u64).min(self.most_units.into());
        let units = u32::try_from(units).unwrap_or(self.most_units);
        let bytes = Arc::clone(&self.units).try_acquire_many_owned(units).ok();
        if bytes.is_none() {
            self.refuse();
        }
        bytes.map(|bytes| Slot { _bytes: Some(bytes), ..slot })
    }

    fn refuse(&self) {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        let now = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        let say_at = self.say_at.load(Ordering::Relaxed);
        let next = now + SAY_INTERVAL.as_secs() * 1_000;
        // Of several at a time, one says it.
        let says =
            say_at <= now && self.say_at.compare_exchange(say_at, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if says {
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

    fn load(requests: usize, max_sending_size: usize) -> Load {
        Load::new(&Limits { requests, max_sending_size, ..Limits::default() })
    }

    #[tokio::test]
    async fn so_many_requests_are_in_flight_and_no_more() {
        let load = load(2, 1 << 20);
        let (first, _second) = (load.admit().expect("room"), load.admit().expect("room"));
        assert!(load.admit().is_none());
        assert_eq!((load.in_flight(), load.refused()), (2, 1));
        drop(first);
        assert!(load.admit().is_some());
        assert_eq!((load.in_flight(), load.refused()), (1, 1));
    }

    #[tokio::test]
    async fn so_many_bytes_are_on_the_way_and_no_more() {
        let load = load(10, 64 << 10);
        let half = load.admit_bytes(load.admit().expect("room"), 40 << 10).expect("room");
        assert!(load.admit_bytes(load.admit().expect("room"), (24 << 10) + 1).is_none());
        let rest = load.admit_bytes(load.admit().expect("room"), 24 << 10).expect("room");
        assert!(load.admit_bytes(load.admit().expect("room"), 1).is_none());
        assert!(load.admit_bytes(load.admit().expect("room"), 0).is_some(), "an answer without a body");
        drop((half, rest));
        let huge = load.admit_bytes(load.admit().expect("room"), 1 << 40).expect("it goes alone");
        assert!(load.admit_bytes(load.admit().expect("room"), 1).is_none());
        drop(huge);
        assert_eq!(load.in_flight(), 0);
    }
}
