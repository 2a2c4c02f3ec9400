//! One request at a time to a registry, and no more than `max_rate` of them a second.

use std::sync::{Mutex as StdMutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until};

/// The gate that every request to one registry goes through.
#[derive(Debug)]
pub(super) struct Gate {
    /// From one request's start to the next one's.
    spacing: Duration,
    /// When the next request may start.
    next: Mutex<Instant>,
    /// Since when a request is in flight.
    busy_since: StdMutex<Option<Instant>>,
}

/// The right to have one request in flight.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    gate: &'a Gate,
    next: MutexGuard<'a, Instant>,
}

impl Pass<'_> {
    /// Waits until another request may follow under the same pass.
    pub(super) async fn renew(&mut self) {
        sleep_until(*self.next).await;
        *self.next = Instant::now() + self.gate.spacing;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.gate.set_busy_since(None);
    }
}

impl Gate {
    pub(super) fn new(max_rate: f64) -> Self {
        Self {
            spacing: Duration::from_secs_f64(1.0 / max_rate),
            next: Mutex::new(Instant::now()),
            busy_since: StdMutex::new(None),
        }
    }

    /// How long the request that is in flight has been so.
    pub(super) fn busy_for(&self) -> Option<Duration> {
        let busy_since = *self.busy_since.lock().unwrap_or_else(PoisonError::into_inner);
        busy_since.map(|since| since.elapsed())
    }

    fn set_busy_since(&self, since: Option<Instant>) {
        *self.busy_since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Waits for the request before to end, and for its spacing.
    pub(super) async fn enter(&self) -> Pass<'_> {
        let mut pass = Pass { gate: self, next: self.next.lock().await };
        pass.renew().await;
        self.set_busy_since(Some(Instant::now()));
        pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_are_spaced_and_never_overlap() {
        let gate = Gate::new(10.0);
        let start = Instant::now();
        for _ in 0..5 {
            drop(gate.enter().await);
        }
        let mut pass = gate.enter().await;
        pass.renew().await;
        drop(pass);
        assert_eq!(start.elapsed(), Duration::from_millis(600));
        let _held = gate.enter().await;
        assert!(tokio::time::timeout(Duration::from_mins(1), gate.enter()).await.is_err());
    }
}
