//! A socket with deadlines. Hyper waits for ever for a peer that falls silent in the middle of a head or
//! stops taking an answer; here such a wait ends with an error. Waiting between requests is not judged here
//! but by `supervise`, so keep-alive costs no timer.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::Activity;
use super::deadlines::Deadlines;
use super::lines::Lines;
use super::linger::Linger;
use super::rest::Readable;
use super::sniff::Protocol;

/// A stream whose waits have ends.
#[derive(Debug)]
pub(super) struct Timed<S> {
    stream: S,
    activity: Arc<Activity>,
    deadlines: Deadlines,
    /// HTTP/2 has its own ways: pings, streams, windows.
    head: Option<Head>,
    stalled_since: Option<Instant>,
    linger: Option<Linger>,
    alarm: Alarm,
    /// What was read and is to be read once more.
    again: Bytes,
}

impl<S> Timed<S> {
    pub(super) fn new(stream: S, protocol: Protocol, activity: Arc<Activity>, deadlines: Deadlines) -> Self {
        let head = (protocol == Protocol::Http1).then(Head::default);
        let (stalled_since, linger, alarm, again) = (None, None, Alarm::default(), Bytes::new());
        Self { stream, activity, deadlines, head, stalled_since, linger, alarm, again }
    }

    /// Lets what was read and not understood be read once more.
    pub(super) fn give_again(&mut self, bytes: &[u8]) {
        // Not the buffer that they were read into, which is larger.
        self.again = Bytes::copy_from_slice(bytes);
    }

    /// The peer takes nothing. An error once that has lasted too long.
    fn stalled<T>(&mut self, context: &mut Context<'_>) -> Poll<Result<T>> {
        self.activity.set_unsent(true);
        let since = *self.stalled_since.get_or_insert_with(Instant::now);
        loop {
            let now = Instant::now();
            let Some(look_again_at) = self.deadlines.look_again(since, now, self.activity.share().load().is_short(now))
            else {
                return Poll::Ready(Err(timed_out("it takes no answer")));
            };
            ready!(self.alarm.poll_at(context, look_again_at));
        }
    }

    fn written<T>(&mut self, context: &mut Context<'_>, polled: Poll<Result<T>>) -> Poll<Result<T>> {
        if polled.is_pending() {
            return self.stalled(context);
        }
        self.stalled_since = None;
        // On HTTP/2 an answer to a ping is written too.
        if self.head.is_some() {
            self.activity.progressed();
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        if !this.again.is_empty() {
            buffer.put_slice(&this.again.split_to(this.again.len().min(buffer.remaining())));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(context, buffer);
        let Some(head) = &mut this.head else { return polled };
        match polled {
            Poll::Ready(result) => {
                let came = buffer.filled_mut().get_mut(before..).unwrap_or_default();
                head.lines.forbid_bare_ends(came);
                head.arrived(came);
                this.activity.set_between_requests(false);
                Poll::Ready(result)
            }
            Poll::Pending => match head.since(&this.activity) {
                None => {
                    this.activity.set_between_requests(!this.activity.is_busy());
                    Poll::Pending
                }
                // Of a request that begins as the connection ends, nobody waits for the rest.
                Some(_) if this.activity.is_ending() => Poll::Ready(Err(ErrorKind::ConnectionAborted.into())),
                Some(since) => {
                    let deadline = since + this.deadlines.head;
                    this.alarm.poll_at(context, deadline).map(|()| Err(timed_out("it does not finish its request")))
                }
            },
        }
    }
}

impl<S: Readable> Readable for Timed<S> {
    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.stream.poll_readable(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.written(context, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.written(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_flush(context) {
            Poll::Pending => this.stalled(context),
            ready @ Poll::Ready(_) => {
                this.stalled_since = None;
                // Hyper flushes after it has written everything that it has.
                this.activity.set_unsent(false);
                ready
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            match Pin::new(&mut this.stream).poll_shutdown(context) {
                Poll::Pending => return this.stalled(context),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {}
            }
        }
        let linger = this.linger.get_or_insert_with(|| {
            let is_inside_a_request = this.head.as_mut().is_some_and(|head| head.since(&this.activity).is_some());
            let expects_more = is_inside_a_request || this.activity.leaves_body();
            Linger::new(expects_more, Instant::now() + this.deadlines.linger)
        });
        linger.poll(context, &mut this.stream, &mut this.alarm).map(Ok)
    }
}

/// Where the bytes that came stand among requests. Hyper does not tell; what a head ends with does.
#[derive(Debug, Default)]
struct Head {
    /// When the first byte of the head came that is being read.
    since: Option<Instant>,
    /// How many requests had begun when that was last looked at.
    requests: usize,
    /// The last four bytes that came.
    last: u32,
    lines: Lines,
}

impl Head {
    fn arrived(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.since.get_or_insert_with(Instant::now);
        }
        let last = bytes.len().saturating_sub(size_of_val(&self.last));
        for byte in bytes.iter().skip(last) {
            self.last = self.last << 8 | u32::from(*byte);
        }
    }

    /// Since when a head is being read, now that nothing more has come.
    fn since(&mut self, activity: &Activity) -> Option<Instant> {
        // An answer in the making, or a body: not a head.
        if activity.is_busy() {
            return None;
        }
        let requests = activity.requests();
        if self.requests != requests {
            self.requests = requests;
            // Whatever came was a head, perhaps a body, and was answered. Unless it went on after its end: then the
            // next head has begun.
            let is_over = self.ends_with_a_blank_line() || self.lines.is_between();
            self.since = (!is_over).then(Instant::now);
        }
        self.since
    }

    fn ends_with_a_blank_line(&self) -> bool {
        let [_, bytes @ ..] = self.last.to_be_bytes();
        bytes == *b"\n\r\n" || bytes.ends_with(b"\n\n")
    }
}

/// One timer for all deadlines of a stream, made when the first one is needed and moved only when one comes
/// that is earlier than what it is set to.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready at the deadline, for the task of this context.
    pub(super) fn poll_at(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(context).is_ready() {
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

fn timed_out(what: &'static str) -> Error {
    Error::new(ErrorKind::TimedOut, what)
}

#[cfg(test)]
#[path = "timed_tests.rs"]
mod tests;
