//! The streams of an HTTP/2 connection: one task answers each, and another one reads what the client still sends of
//! a body that nobody wants, or wants no more of. They end with the connection.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::deadlines::Deadlines;
use super::linger::MAX_LINGER_BYTES;
use super::load::Share;

/// How far the answer of a stream is.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// Whether it is the client that is waited for.
    is_answered: bool,
    /// When the client last took a part of the answer, or asked for it.
    last: Instant,
}

impl Progress {
    fn now(is_answered: bool) -> Cell<Self> {
        Cell::new(Self { is_answered, last: Instant::now() })
    }
}

tokio::task_local! {
    /// That of the answer that this task sends. Over HTTP/1, whose only answer is its connection's, there is none.
    static PROGRESS: Cell<Progress>;
}

/// The answer is there for the client to take, or a part of it was taken.
pub(super) fn progressed() {
    let _ = PROGRESS.try_with(|progress| progress.swap(&Progress::now(true)));
}

/// The next part of the answer is not there yet: it is not the client that is waited for.
pub(super) fn waits() {
    let _ = PROGRESS.try_with(|progress| progress.set(Progress { is_answered: false, ..progress.get() }));
}

/// Where hyper runs the requests of a connection.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    running: Arc<Mutex<JoinSet<()>>>,
    deadlines: Deadlines,
    share: Arc<Share>,
}

impl Streams {
    pub(super) fn new(deadlines: Deadlines, share: Arc<Share>) -> Self {
        Self { running: Arc::default(), deadlines, share }
    }

    /// Where what is left of bodies is read. It does not keep the streams alive: their tasks hold it.
    pub(super) fn remains(&self) -> Remains {
        Remains { running: Arc::downgrade(&self.running), limit: self.deadlines.linger }
    }
}

fn spawn(running: &Mutex<JoinSet<()>>, task: impl Future<Output = ()> + Send + 'static) {
    let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
    // Those that have ended; hyper bounds how many have not, by their streams.
    while let Some(ended) = running.try_join_next() {
        if let Err(error) = ended {
            tracing::error!(%error, "a request panicked");
        }
    }
    running.spawn(task);
}

/// Where what is left of the bodies of a connection is read, as long as that lives.
#[derive(Clone, Debug)]
pub(super) struct Remains {
    running: Weak<Mutex<JoinSet<()>>>,
    limit: Duration,
}

impl Remains {
    /// Reads a body and throws it away, within the bounds that hold after the last answer of a connection too. A body
    /// that is dropped at once ends its stream with `RST_STREAM(NO_ERROR)` right behind the answer (RFC 9113 §8.1),
    /// and common clients then report a broken connection in place of that answer.
    pub(super) fn discard(&self, body: Incoming) {
        let (Some(running), Ok(_)) = (self.running.upgrade(), Handle::try_current()) else { return };
        let limit = self.limit;
        spawn(&running, async move {
            let _ = timeout(limit, discard(body)).await;
        });
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let watched = unless_stalled(stream, self.deadlines, Arc::clone(&self.share));
        spawn(&self.running, PROGRESS.scope(Progress::now(false), watched));
    }
}

/// Sends an answer, unless the client takes nothing of it for so long: then its stream is reset, however busy the
/// others of the connection are. An answer that goes at once costs no timer.
async fn unless_stalled(stream: impl Future<Output = ()>, deadlines: Deadlines, share: Arc<Share>) {
    let stalled = async {
        loop {
            let (Progress { is_answered, last }, now) = (PROGRESS.with(Cell::get), Instant::now());
            let Some(at) = deadlines.look_again(last, now, is_answered && share.load().is_short(now)) else { return };
            sleep_until(at).await;
        }
    };
    tokio::select! {
        biased;
        () = stream => {}
        () = stalled => tracing::debug!("reset a stream whose answer nobody takes"),
    }
}

async fn discard(mut body: Incoming) {
    let mut left = MAX_LINGER_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, bytes::Bytes::len);
        let Some(rest) = left.checked_sub(length) else { return };
        left = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::limits::Limits;
    use super::super::load::Load;
    use super::*;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_given_up_when_nothing_of_it_is_taken_for_long() {
        let started = Instant::now();
        let answer = async {
            for _ in 0..10 {
                sleep(Duration::from_secs(25)).await;
                progressed();
            }
            std::future::pending::<()>().await;
        };
        let share = Share::of(Arc::new(Load::new(&Limits::default())));
        PROGRESS.scope(Progress::now(false), unless_stalled(answer, Deadlines::default(), share)).await;
        assert_eq!(started.elapsed().as_secs(), 280, "30 s after the last part");
    }

    #[tokio::test(start_paused = true)]
    async fn where_others_find_no_room_it_is_given_up_soon_but_not_while_it_is_being_made() {
        let load = Arc::new(Load::new(&Limits::default()));
        let share = || Share::of(Arc::clone(&load));
        let _all = share().admit(u64::MAX).expect("it goes alone");
        let started = Instant::now();
        let answer = async {
            for _ in 0..10 {
                sleep(Duration::from_secs(1)).await;
                assert!(share().admit(1).is_none());
            }
            progressed();
            std::future::pending::<()>().await;
        };
        let watched = unless_stalled(answer, Deadlines::default(), share());
        PROGRESS.scope(Progress::now(false), watched).await;
        assert_eq!(started.elapsed().as_secs(), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn where_others_find_no_room_it_is_not_given_up_while_it_waits_for_something_to_happen() {
        let load = Arc::new(Load::new(&Limits::default()));
        let share = || Share::of(Arc::clone(&load));
        let _all = share().admit(u64::MAX).expect("it goes alone");
        let started = Instant::now();
        let answer = async {
            progressed();
            waits();
            for _ in 0..10 {
                sleep(Duration::from_secs(1)).await;
                assert!(share().admit(1).is_none());
            }
        };
        let watched = unless_stalled(answer, Deadlines::default(), share());
        PROGRESS.scope(Progress::now(false), watched).await;
        assert_eq!(started.elapsed().as_secs(), 10);
    }
}
