//! What happens on a connection, as far as its deadlines must know: shared by its socket, its requests and
//! the loop that watches over it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::traffic::Answered;
use super::load::{Sending, Share};
use super::request_log::Line;

/// The activity of one connection. Nothing is ordered by these numbers, hence `Relaxed` throughout.
#[derive(Debug)]
pub(super) struct Activity {
    born: Instant,
    /// Who is at the other end.
    client: Option<SocketAddr>,
    requests: AtomicUsize,
    in_flight: AtomicUsize,
    /// Milliseconds from `born` to the last progress.
    progress: AtomicU64,
    leaves_body: AtomicBool,
    has_unsent: AtomicBool,
    is_between_requests: AtomicBool,
    ending: CancellationToken,
    /// The answers of HTTP/1 that hyper is done with, and the peer perhaps not.
    unsent: Mutex<Vec<Sending>>,
    share: Arc<Share>,
}

impl Activity {
    /// That of a client's connection that has this share of the room for answers.
    pub(super) fn new(share: Arc<Share>, client: Option<SocketAddr>) -> Arc<Self> {
        Arc::new(Self {
            born: Instant::now(),
            client,
            requests: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            progress: AtomicU64::new(0),
            leaves_body: AtomicBool::new(false),
            has_unsent: AtomicBool::new(false),
            is_between_requests: AtomicBool::new(false),
            ending: CancellationToken::new(),
            unsent: Mutex::default(),
            share,
        })
    }

    /// When the connection began to speak HTTP.
    pub(super) fn born(&self) -> Instant {
        self.born
    }

    /// A request has begun; it is in flight until the answer is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let began = self.progressed();
        InFlight { activity: Arc::clone(self), sending: None, is_http1: false, began, answered: None, line: None }
    }

    /// How many requests have begun.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Whether a request is in flight, or a part of an answer waits for the peer to make room for it.
    pub(super) fn is_busy(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) > 0 || self.has_unsent.load(Ordering::Relaxed)
    }

    /// Hyper is done with an answer of HTTP/1 before the peer is: says whether something is left to be written.
    pub(super) fn set_unsent(&self, has_unsent: bool) {
        self.has_unsent.store(has_unsent, Ordering::Relaxed);
        if !has_unsent {
            self.unsent().clear();
        }
    }

    /// Whether the last request is over and nothing of the next one has come (HTTP/1).
    pub(super) fn is_between_requests(&self) -> bool {
        self.is_between_requests.load(Ordering::Relaxed) && !self.is_busy()
    }

    /// Nothing has come of the next request, or something has.
    pub(super) fn set_between_requests(&self, is_between: bool) {
        self.is_between_requests.store(is_between, Ordering::Relaxed);
    }

    /// Its share of the room for answers.
    pub(super) fn share(&self) -> &Arc<Share> {
        &self.share
    }

    fn unsent(&self) -> MutexGuard<'_, Vec<Sending>> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer asked for something, or took a part of an answer. Says how long after the connection's birth.
    pub(super) fn progressed(&self) -> Duration {
        let elapsed = self.born.elapsed();
        self.progress.store(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        elapsed
    }

    /// When that last happened.
    pub(super) fn last_progress(&self) -> Instant {
        self.born + Duration::from_millis(self.progress.load(Ordering::Relaxed))
    }

    /// The connection is to end with what is in flight: no request need be finished that has not arrived.
    pub(super) fn end(&self) {
        self.ending.cancel();
    }

    /// Whether the connection is to end.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_cancelled()
    }

    /// Waits until the connection is to end: an answer that would go on for ever ends with it.
    pub(super) fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        self.ending.clone().cancelled_owned()
    }

    /// A request's body stays unread, or nobody knows what follows it, so the connection ends with that request.
    pub(super) fn leave_body(&self) {
        self.leaves_body.store(true, Ordering::Relaxed);
    }

    /// Whether the connection ends with a request because of its body.
    pub(super) fn leaves_body(&self) -> bool {
        self.leaves_body.load(Ordering::Relaxed)
    }
}

/// A request in flight, until it is dropped.
#[derive(Debug)]
pub(super) struct InFlight {
    activity: Arc<Activity>,
    sending: Option<Sending>,
    is_http1: bool,
    /// When it began, from the connection's birth.
    began: Duration,
    answered: Option<Answered>,
    /// What the log is to say of it, if it is to.
    line: Option<Box<Line>>,
}

impl InFlight {
    /// Notes who asks for what, where the log is to say it.
    pub(super) fn begin_line(&mut self, request: &Parts) {
        self.line = Line::begin(request, self.activity.client);
    }

    /// Notes the answer. What was noted before it found no room does not count.
    pub(super) fn note(&mut self, mut answered: Answered, response: &Response<super::super::Body>) {
        if let Some(line) = &mut self.line {
            line.note(&mut answered, response);
        }
        // A stream may go on for days, and how long it does is not counted.
        if answered.is_stream {
            self.activity.share.load().traffic.note(&answered, Duration::ZERO);
        }
        self.answered = Some(answered);
    }

    /// Keeps the room for the answer until that has gone.
    pub(super) fn hold(&mut self, sending: Sending, is_http1: bool) {
        (self.sending, self.is_http1) = (Some(sending), is_http1);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // Over HTTP/1 hyper takes the whole answer, and flushes right behind that.
        if let Some(sending) = self.sending.take().filter(|_| self.is_http1) {
            self.activity.unsent().push(sending);
        }
        self.activity.in_flight.fetch_sub(1, Ordering::Relaxed);
        // The clock is read for the deadlines anyway.
        let took = self.activity.progressed().saturating_sub(self.began);
        let traffic = &self.activity.share.load().traffic;
        match &self.answered {
            // Noted when it began.
            Some(Answered { is_stream: true, .. }) => {}
            Some(answered) => traffic.note(answered, took),
            None => traffic.note_abandoned(),
        }
        if let Some(line) = &self.line {
            line.end(self.answered.as_ref(), took);
        }
    }
}

/// A body whose request is in flight until its last part has been taken. Parts are bounded, so that on
/// HTTP/2 a peer that closes its window is seen: the next part is not taken.
#[derive(Debug)]
pub(super) struct Tracked<B> {
    /// None for an answer that is only a head.
    body: Option<B>,
    part: Bytes,
    most: usize,
    in_flight: InFlight,
}

impl<B> Tracked<B> {
    pub(super) fn new(body: Option<B>, most: usize, in_flight: InFlight) -> Self {
        Self { body, part: Bytes::new(), most, in_flight }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Tracked<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.part.is_empty() {
            let Some(body) = &mut self.body else { return Poll::Ready(None) };
            let Poll::Ready(frame) = Pin::new(body).poll_frame(context) else {
                super::streams::waits();
                return Poll::Pending;
            };
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.part = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                end => return Poll::Ready(end),
            }
        }
        let length = self.most.min(self.part.len());
        // Whoever takes all of it at once drops it next, which is noted too.
        if length < self.part.len() {
            self.in_flight.activity.progressed();
        }
        super::streams::progressed();
        Poll::Ready(Some(Ok(Frame::data(self.part.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.part.is_empty() && self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let part = self.part.len() as u64;
        let rest = self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        rest.exact().map_or(rest, |rest| SizeHint::with_exact(part + rest))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::limits::Limits;
    use super::super::load::Load;
    use super::*;
    use http_body_util::{BodyExt as _, Full};

    #[tokio::test]
    async fn a_request_is_in_flight_until_the_last_part_of_its_answer_is_taken() {
        let activity = Activity::new(Share::of(Arc::new(Load::new(&Limits::default()))), None);
        let mut body = Tracked::new(Some(Full::new(Bytes::from_static(b"0123456789"))), 4, activity.begin());
        for (rest, expected) in [(10, "0123"), (6, "4567"), (2, "89")] {
            assert!(activity.is_busy() && !body.is_end_stream());
            assert_eq!(body.size_hint().exact(), Some(rest));
            let part = body.frame().await.expect("a part").expect("no error").into_data().expect("data");
            assert_eq!(part, expected);
        }
        assert!(body.is_end_stream() && body.frame().await.is_none());
        drop(body);
        assert!(!activity.is_busy());
        assert_eq!(activity.requests(), 1);
    }
}
