//! Ending well: a soft request to stop, a hard one, and one tracker that knows when all tasks are done.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The first wait before a task that panicked starts again; it doubles, up to the last.
const RESTART_AFTER: Duration = Duration::from_secs(1);
const RESTART_AFTER_AT_MOST: Duration = Duration::from_mins(1);

/// The life of the process. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    soft: CancellationToken,
    tracker: TaskTracker,
}

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything that was in flight has finished, or had its time and was cut off: clients that do not read what
    /// they asked for are no fault of this process.
    Clean,
    /// A second signal ended it at once, and cut off what was in flight.
    Cut,
}

impl Lifecycle {
    /// A life that has just begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A life within this one: it ends with it, or before, when it is asked to by itself.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { soft: self.soft.child_token(), tracker: self.tracker.clone() }
    }

    /// Asks everything to end.
    pub fn stop(&self) {
        self.soft.cancel();
    }

    /// Ends when everything was asked to end.
    pub async fn stopped(&self) {
        self.soft.cancelled().await;
    }

    /// Runs a task that ends by itself once it is asked to.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Runs a task that never ends by itself: it is dropped at the end, and started again, with a growing
    /// wait, should it panic.
    pub fn keep_running<F>(&self, name: String, start: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let soft = self.soft.clone();
        self.tracker.spawn(async move {
            soft.run_until_cancelled(restarting(&name, start)).await;
        });
    }

    /// Waits for a signal, then for everything to finish, as long as that may take. A second signal ends it at once.
    ///
    /// # Errors
    /// When signals cannot be listened to.
    pub async fn run_to_end(&self, drain_limit: Duration) -> std::io::Result<Ending> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = self.stopped() => {}
        }
        tracing::info!("stopping: requests in flight finish; a second signal ends it at once");
        self.stop();
        tokio::select! {
            ending = self.drained(drain_limit) => Ok(ending),
            _ = interrupt.recv() => Ok(Ending::Cut),
            _ = terminate.recv() => Ok(Ending::Cut),
        }
    }

    async fn drained(&self, limit: Duration) -> Ending {
        self.tracker.close();
        if timeout(limit, self.tracker.wait()).await.is_ok() {
            return Ending::Clean;
        }
        tracing::warn!(tasks = self.tracker.len(), "cut off what did not finish in time");
        Ending::Clean
    }
}

async fn restarting<F>(name: &str, start: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut wait = RESTART_AFTER;
    loop {
        let started = Instant::now();
        // A set of one: dropping it aborts the task.
        let mut task = JoinSet::new();
        task.spawn(start());
        if let Some(Err(error)) = task.join_next().await {
            tracing::error!(task = name, %error, "task panicked; it is started again");
        }
        if RESTART_AFTER_AT_MOST < started.elapsed() {
            wait = RESTART_AFTER;
        }
        sleep(wait).await;
        wait = (wait * 2).min(RESTART_AFTER_AT_MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_life_within_another_ends_alone_or_with_it() {
        let lifecycle = Lifecycle::new();
        let (one, two) = (lifecycle.child(), lifecycle.child());
        for life in [&one, &two] {
            life.keep_running("test".to_owned(), std::future::pending::<()>);
        }
        one.stop();
        one.stopped().await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(lifecycle.tracker.len(), 1, "the other goes on");
        lifecycle.stop();
        two.stopped().await;
        assert_eq!(lifecycle.drained(Duration::from_secs(1)).await, Ending::Clean);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_takes_nobody_with_it() {
        let lifecycle = Lifecycle::new();
        let finished = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&finished);
        lifecycle.spawn(async { panic!("as a request might") });
        lifecycle.spawn(async move {
            sleep(Duration::from_secs(1)).await;
            counted.fetch_add(1, Ordering::SeqCst);
        });
        sleep(Duration::from_secs(2)).await;
        assert_eq!((finished.load(Ordering::SeqCst), lifecycle.tracker.len()), (1, 0));
        assert_eq!(lifecycle.drained(Duration::from_secs(1)).await, Ending::Clean);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_started_again_and_ends_with_the_life() {
        let lifecycle = Lifecycle::new();
        let starts = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&starts);
        lifecycle.keep_running("test".to_owned(), move || {
            let attempt = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(attempt >= 2, "the first two attempts fail");
                std::future::pending::<()>().await;
            }
        });
        sleep(Duration::from_secs(10)).await;
        assert_eq!(starts.load(Ordering::SeqCst), 3);
        lifecycle.stop();
        assert_eq!(lifecycle.drained(Duration::from_secs(1)).await, Ending::Clean);
    }
}
