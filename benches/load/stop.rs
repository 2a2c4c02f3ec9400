//! Ctrl-C and SIGTERM: whoever waits is told, and everything unwinds, so that what was started is stopped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use crate::Outcome;

static IS_STOPPED: AtomicBool = AtomicBool::new(false);
/// How often somebody who waits looks around.
const LOOK: Duration = Duration::from_millis(10);

/// Begins to listen for signals.
pub(crate) fn listen() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        let _guard = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        });
        IS_STOPPED.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// Fails once a signal has come.
pub(crate) fn check() -> Outcome<()> {
    if IS_STOPPED.load(Ordering::Relaxed) { Err("stopped by a signal".into()) } else { Ok(()) }
}

/// Waits that long.
pub(crate) fn pause(length: Duration) -> Outcome<()> {
    let until = Instant::now() + length;
    while Instant::now() < until {
        check()?;
        thread::sleep(LOOK.min(until.saturating_duration_since(Instant::now())));
    }
    check()
}

/// Waits until something is so, and looks that often.
pub(crate) fn until(
    what: &str,
    every: Duration,
    limit: Duration,
    mut is_so: impl FnMut() -> Outcome<bool>,
) -> Outcome<()> {
    let ends_at = Instant::now() + limit;
    while !is_so()? {
        if ends_at < Instant::now() {
            return Err(format!("waited for {} s in vain until {what}", limit.as_secs()).into());
        }
        pause(every)?;
    }
    Ok(())
}
