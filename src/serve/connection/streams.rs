//! The streams of an HTTP/2 connection. They are answered in the turns of their connection and end with it: an answer
//! that is there already costs no task, no timer and no wake-up, and all that come together leave together
//! (`gathered`). What takes work is made in a task of its own, by `session`.

use std::cell::Cell;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::AsyncWrite;
use tokio::task::JoinSet;
use tokio::task::coop::has_budget_remaining;
use tokio::time::Instant;

use super::deadlines::Deadlines;
use super::gathered::Outgoing;
use super::load::Share;
use super::remains::Remains;
use super::timed::Alarm;

/// How often in one turn a connection and its streams are asked for more, before others have theirs.
const MAX_ROUNDS: usize = 32;

/// How far the answer of a stream is.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// Whether it is the client that is waited for.
    is_answered: bool,
    /// When the client last took a part of the answer, or asked for it.
    last: Instant,
}

impl Progress {
    fn now(is_answered: bool) -> Self {
        Self { is_answered, last: Instant::now() }
    }
}

thread_local! {
    /// That of the stream whose turn it is. Over HTTP/1, whose only answer is its connection's, there is none.
    static PROGRESS: Cell<Option<Progress>> = const { Cell::new(None) };
}

/// The answer is there for the client to take, or a part of it was taken.
pub(super) fn progressed() {
    if PROGRESS.get().is_some() {
        PROGRESS.set(Some(Progress::now(true)));
    }
}

/// The next part of the answer is not there yet: it is not the client that is waited for.
pub(super) fn waits() {
    PROGRESS.set(PROGRESS.get().map(|progress| Progress { is_answered: false, ..progress }));
}

/// A stream that is being answered.
struct Stream {
    answer: Pin<Box<dyn Future<Output = ()> + Send>>,
    progress: Progress,
    begun: Arc<Begun>,
}

impl Future for Stream {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.begun.has_moved.store(true, Ordering::Relaxed);
        PROGRESS.set(Some(self.progress));
        let polled = catch_unwind(AssertUnwindSafe(|| self.answer.as_mut().poll(context)));
        if let Some(progress) = PROGRESS.take() {
            self.progress = progress;
        }
        polled.unwrap_or_else(|_| {
            tracing::error!("a request panicked");
            Poll::Ready(())
        })
    }
}

/// Where hyper leaves the requests of a connection.
#[derive(Clone)]
pub(super) struct Streams {
    begun: Arc<Begun>,
    unwanted: Arc<Mutex<JoinSet<()>>>,
}

/// What hyper has left there. Only the task of the connection comes here.
#[derive(Default)]
struct Begun {
    streams: Mutex<Vec<Stream>>,
    /// Whether a stream had its turn since that was last asked.
    has_moved: AtomicBool,
}

impl Begun {
    fn streams(&self) -> MutexGuard<'_, Vec<Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Streams {
    pub(super) fn new() -> Self {
        Self { begun: Arc::default(), unwanted: Arc::default() }
    }

    /// Where what is left of their bodies is read.
    pub(super) fn remains(&self, limit: Duration) -> Remains {
        Remains::new(&self.unwanted, limit)
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let (answer, progress, begun) = (Box::pin(stream), Progress::now(false), Arc::clone(&self.begun));
        self.begun.streams().push(Stream { answer, progress, begun });
    }
}

/// A connection and its streams, as one future. Its streams end where the client takes nothing of an answer for so long
/// that it is given up, however busy the others of the connection are: one timer for all of them, and none where
/// answers go at once.
pub(super) struct Multiplexed<C, S> {
    connection: Pin<Box<C>>,
    streams: FuturesUnordered<Stream>,
    all: Streams,
    outgoing: Outgoing<S>,
    deadlines: Deadlines,
    share: Arc<Share>,
    alarm: Alarm,
    /// When the streams are looked at.
    look_at: Option<Instant>,
}

impl<C, S> Multiplexed<C, S> {
    /// A connection that leaves its requests in `streams`, and whose writes are gathered for `outgoing`.
    pub(super) fn new(
        connection: C,
        streams: Streams,
        outgoing: Outgoing<S>,
        deadlines: Deadlines,
        share: Arc<Share>,
    ) -> Self {
        let (alarm, look_at) = (Alarm::default(), None);
        let connection = Box::pin(connection);
        Self { connection, streams: FuturesUnordered::new(), all: streams, outgoing, deadlines, share, alarm, look_at }
    }

    /// The connection.
    pub(super) fn connection(&mut self) -> Pin<&mut C> {
        self.connection.as_mut()
    }

    /// Gives the streams their turns. Says whether one had any, and so may have left something to be written.
    fn advance(&mut self, context: &mut Context<'_>) -> bool {
        self.streams.extend(mem::take(&mut *self.all.begun.streams()));
        while self.streams.poll_next_unpin(context) == Poll::Ready(Some(())) {}
        self.all.begun.has_moved.swap(false, Ordering::Relaxed)
    }

    /// Looks at the streams when it is time to, as long as there are any.
    fn watch(&mut self, context: &mut Context<'_>) {
        if self.streams.is_empty() {
            self.look_at = None;
            return;
        }
        loop {
            let look_at = *self.look_at.get_or_insert_with(|| soon(self.deadlines, Instant::now()));
            if self.alarm.poll_at(context, look_at).is_pending() {
                return;
            }
            self.look_at = Some(self.give_up_stalled(context));
        }
    }

    /// Resets the streams of whose answers nothing is taken. Says when to look again.
    fn give_up_stalled(&mut self, context: &mut Context<'_>) -> Instant {
        let now = Instant::now();
        let is_short = self.share.load().is_short(now);
        let again = |stream: &Stream| {
            let Progress { is_answered, last } = stream.progress;
            self.deadlines.look_again(last, now, is_answered && is_short)
        };
        let next = self.streams.iter().filter_map(again).min().unwrap_or_else(|| soon(self.deadlines, now));
        if self.streams.iter().any(|stream| again(stream).is_none()) {
            tracing::debug!("reset streams whose answers nobody takes");
            self.streams = mem::take(&mut self.streams).into_iter().filter(|stream| again(stream).is_some()).collect();
            // Those that stay wake nobody until they have had a turn.
            context.waker().wake_by_ref();
        }
        next
    }
}

impl<C, S> Drop for Multiplexed<C, S> {
    /// Lets go of what hyper left in the turn in which the connection ended: it holds on to where it was left.
    fn drop(&mut self) {
        let left = mem::take(&mut *self.all.begun.streams());
        drop(left);
    }
}

/// When a stream is first looked at that begins now. None that begins later is due before that.
fn soon(deadlines: Deadlines, now: Instant) -> Instant {
    now + deadlines.stall.min(deadlines.stall_when_full)
}

impl<C: Future, S: AsyncWrite + Unpin> Future for Multiplexed<C, S> {
    type Output = C::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<C::Output> {
        let this = &mut *self;
        let mut rounds = 0;
        loop {
            if let Poll::Ready(ended) = this.connection.as_mut().poll(context) {
                // It need not have been shut down: what was said before it broke off is said.
                let _ = this.outgoing.poll_send(context);
                return Poll::Ready(ended);
            }
            if !this.advance(context) {
                break;
            }
            rounds += 1;
            // Who has used up what a task may do at a time would only ask again.
            if rounds == MAX_ROUNDS || !has_budget_remaining() {
                context.waker().wake_by_ref();
                break;
            }
        }
        let _ = this.outgoing.poll_send(context);
        this.watch(context);
        Poll::Pending
    }
}

#[cfg(test)]
#[path = "streams_tests.rs"]
mod tests;
