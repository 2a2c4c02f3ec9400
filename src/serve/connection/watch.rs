//! What watches over a connection while hyper speaks: it ends what would go on for ever, and sees when nothing happens.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::activity::Activity;
use super::deadlines::Deadlines;

/// How often a connection that is to end is looked at: whether anything is still in flight.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// After how long without a request a connection rests (HTTP/1), and how often it is looked at until then.
const REST_AFTER: Duration = Duration::from_millis(250);

/// For how long after a sign of life a request is expected to end soon.
const LIVELY_FOR: Duration = Duration::from_secs(1);

/// What became of a connection.
pub(super) enum Supervised<C> {
    Ended(hyper::Result<()>),
    /// Nothing has happened on it for a while.
    Rests(Pin<Box<C>>),
}

/// Drives a connection until it ends or rests, or until it is to end and has had its time for that. The connection
/// comes in a box: a future holds what it is given and what it makes of that, each in a place of its own.
pub(super) async fn supervise<C: Future<Output = hyper::Result<()>>>(
    mut connection: Pin<Box<C>>,
    retire: impl FnOnce(Pin<&mut C>),
    watch: &Watch,
    stopped: impl Future<Output = ()>,
) -> Supervised<C> {
    let quiet = tokio::select! {
        biased;
        ended = connection.as_mut() => return Supervised::Ended(ended),
        // Before the next: what is to end does not rest.
        () = stopped => Quiet::Ends(watch.deadlines.finish),
        quiet = watch.until_quiet(watch.may_rest) => quiet,
    };
    let Quiet::Ends(most) = quiet else { return Supervised::Rests(connection) };
    watch.activity.end();
    retire(connection.as_mut());
    tokio::select! {
        biased;
        ended = connection => Supervised::Ended(ended),
        () = until_overdue(&watch.activity, most, watch.deadlines.farewell) => {
            tracing::debug!("cut off a connection that did not end in time");
            Supervised::Ended(Ok(()))
        }
    }
}

/// Waits while answers are in flight, but so long at most, and then for the goodbye: an idle client that does not
/// answer it shall not hold up the end of the process.
async fn until_overdue(activity: &Activity, most: Duration, farewell: Duration) {
    let ends_at = Instant::now() + most;
    while activity.is_busy() && Instant::now() < ends_at {
        sleep(LOOK_INTERVAL).await;
    }
    sleep_until(ends_at.min(Instant::now() + farewell)).await;
}

/// Why a connection is looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Quiet {
    /// Nothing happens on it at the moment.
    Rests,
    /// It is to end, and that may take so long.
    Ends(Duration),
}

/// What a connection is judged by.
pub(super) struct Watch {
    activity: Arc<Activity>,
    deadlines: Deadlines,
    retires_at: Instant,
    /// Whether it can rest.
    may_rest: bool,
}

impl Watch {
    pub(super) fn new(activity: Arc<Activity>, deadlines: Deadlines, may_rest: bool) -> Self {
        let retires_at = activity.born() + deadlines.jittered_age();
        Self { activity, deadlines, retires_at, may_rest }
    }

    /// Waits until a connection rests, if it may; until it has grown old, or has been quiet for too long: idle, or with
    /// an answer that the peer does not take.
    pub(super) async fn until_quiet(&self, may_rest: bool) -> Quiet {
        let Self { activity, deadlines, retires_at, .. } = self;
        loop {
            let (now, is_busy) = (Instant::now(), activity.is_busy());
            let limit = if is_busy { deadlines.stall } else { deadlines.idle };
            let quiet_at = activity.last_progress() + limit;
            if quiet_at <= now {
                return Quiet::Ends(deadlines.farewell);
            }
            if *retires_at <= now {
                return Quiet::Ends(deadlines.finish);
            }
            if may_rest && activity.is_between_requests() && activity.last_progress() + REST_AFTER <= now {
                return Quiet::Rests;
            }
            // A request that begins meanwhile may stall before an idle connection would be looked at again.
            let look_again = if is_busy { quiet_at } else { quiet_at.min(now + deadlines.stall) };
            // An answer that has been on its way for long is let go on in peace.
            let is_lively = !is_busy || now < activity.last_progress() + LIVELY_FOR;
            let look_again = if may_rest && is_lively { look_again.min(now + REST_AFTER) } else { look_again };
            sleep_until(look_again.min(*retires_at)).await;
        }
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
