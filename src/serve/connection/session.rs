//! A connection that speaks HTTP: hyper does, and a loop beside it ends what would go on for ever.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, ORIGIN};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, sleep_until};

use super::super::handling::Handled;
use super::super::route::is_health;
use super::super::{Body, Entrance};
use super::activity::{Activity, InFlight, Tracked};
use super::deadlines::Deadlines;
use super::streams::{Streams, progressed};
use super::timed::Timed;

/// The largest head. Beyond it, or beyond a hundred headers of HTTP/1, hyper answers 431 by itself; `guard` refuses
/// earlier, and with an answer that looks like ours.
const MAX_HEAD_BYTES: u16 = 32 << 10;
/// The most that is buffered of what comes and what goes (HTTP/1).
const MAX_BUFFER_BYTES: usize = 64 << 10;
/// The most requests at a time on one connection (HTTP/2).
const MAX_STREAMS: u32 = 100;
/// How much a client may send of a body before somebody reads it (HTTP/2).
const WINDOW_BYTES: u32 = 64 << 10;
/// How much of an answer is taken at a time, and waits for the client's window (HTTP/2). Who takes less than this in
/// `Deadlines::stall`, about 550 bytes a second, is cut off.
const PART_BYTES: usize = 16 << 10;

/// How often a connection that is to end is looked at: whether anything is still in flight.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// One connection's requests.
pub(super) struct Session {
    pub(super) entrance: Arc<Entrance>,
    pub(super) activity: Arc<Activity>,
    pub(super) deadlines: Deadlines,
}

impl Session {
    pub(super) fn http1<T>(
        self,
        stream: Timed<T>,
        stopped: impl Future<Output = ()>,
    ) -> impl Future<Output = hyper::Result<()>>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { entrance, activity, deadlines } = self;
        // The whole body in one write.
        let kept = Arc::clone(&activity);
        let answering = Arc::new(Answering { entrance, activity: kept, part: usize::MAX });
        let handle = service_fn(move |request: Request<Incoming>| {
            // The body is dropped here and not later, so that hyper asks for no more of it.
            let (request, asked) = asked(request, drop);
            answering.answer(request, asked, answering.activity.begin())
        });
        let connection = http1::Builder::new()
            // The stream's own clocks tell a slow head from an idle connection.
            .header_read_timeout(None)
            .half_close(true)
            .max_header_size(usize::from(MAX_HEAD_BYTES))
            .max_buf_size(MAX_BUFFER_BYTES)
            .serve_connection(TokioIo::new(stream), handle);
        supervise(Box::pin(connection), http1::Connection::graceful_shutdown, activity, deadlines, stopped)
    }

    pub(super) fn http2<T>(
        self,
        stream: Timed<T>,
        stopped: impl Future<Output = ()>,
    ) -> impl Future<Output = hyper::Result<()>>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { entrance, activity, deadlines } = self;
        let streams = Streams::new(deadlines, Arc::clone(activity.share()));
        let (kept, bodies) = (Arc::clone(&activity), streams.clone());
        let answering = Arc::new(Answering { entrance, activity: kept, part: PART_BYTES });
        let handle = service_fn(move |request: Request<Incoming>| {
            let (request, asked) = asked(request, |body| bodies.discard(body));
            // Each stream has a task of its own: there, and not where the connection is read.
            Answer::Asked(Some((Arc::clone(&answering), request, asked, answering.activity.begin())))
        });
        let connection = http2::Builder::new(streams)
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(u32::from(MAX_HEAD_BYTES))
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_send_buf_size(PART_BYTES)
            .keep_alive_interval(deadlines.ping_interval)
            .keep_alive_timeout(deadlines.ping_timeout)
            .serve_connection(TokioIo::new(stream), handle);
        supervise(Box::pin(connection), http2::Connection::graceful_shutdown, activity, deadlines, stopped)
    }
}

/// What answers the requests of one connection.
struct Answering {
    entrance: Arc<Entrance>,
    activity: Arc<Activity>,
    /// How much of an answer is taken at a time.
    part: usize,
}

impl Answering {
    /// Answers a request, if there is room for it and for its answer. Whether the process lives and is ready is said in
    /// any case: whoever asks that would end it otherwise.
    fn answer(self: &Arc<Self>, request: Parts, asked: Asked, in_flight: InFlight) -> Answer {
        let slot = if asked.is_health { None } else { self.activity.share().admit_request() };
        if slot.is_none() && !asked.is_health {
            let refusal = self.entrance.refuse(&request.headers);
            return Answer::Now(Some(self.dress(refusal, &asked, in_flight)));
        }
        match self.entrance.handle(request) {
            Handled::Now(response) => Answer::Now(Some(self.send(response, &asked, in_flight))),
            Handled::Later(handling) => {
                let this = Arc::clone(self);
                Answer::Later(Box::pin(async move {
                    let response = handling.await;
                    drop(slot);
                    this.send(response, &asked, in_flight)
                }))
            }
        }
    }

    /// Lets an answer out, or a refusal in place of one that finds no room.
    fn send(&self, response: Response<Body>, asked: &Asked, mut in_flight: InFlight) -> Response<Tracked<Body>> {
        if asked.is_health {
            return self.dress(response, asked, in_flight);
        }
        let Some(sending) = self.activity.share().admit(response.body().weight()) else {
            let origin = asked.origin.clone().map(|origin| (ORIGIN, origin));
            return self.dress(self.entrance.refuse(&origin.into_iter().collect()), asked, in_flight);
        };
        in_flight.hold(sending, asked.is_http1);
        let response = response.map(|body| body.until(|| self.activity.ended()));
        self.dress(response, asked, in_flight)
    }

    /// Makes of an answer what hyper sends.
    fn dress(&self, mut response: Response<Body>, asked: &Asked, in_flight: InFlight) -> Response<Tracked<Body>> {
        progressed();
        let leaves_body = asked.has_body && asked.is_http1;
        if leaves_body {
            self.activity.leave_body();
        }
        // Who sends heads like that shall not send more of them at once.
        if leaves_body || asked.is_http1 && response.status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        // Over HTTP/1 hyper leaves the body out itself.
        if asked.is_only_head
            && may_have_length(response.status())
            && let Some(length) = response.body().size_hint().exact()
        {
            response.headers_mut().entry(CONTENT_LENGTH).or_insert(length.into());
        }
        response.map(|body| Tracked::new((!asked.is_only_head).then_some(body), self.part, in_flight))
    }
}

/// What a request is, without its body, which nobody wants.
fn asked(request: Request<Incoming>, leave: impl FnOnce(Incoming)) -> (Parts, Asked) {
    let (parts, body) = request.into_parts();
    let asked = Asked::new(&parts, &body);
    if asked.has_body || asked.is_http1 {
        leave(body);
    }
    (parts, asked)
}

/// What a connection must know of a request.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Asked {
    is_http1: bool,
    has_body: bool,
    /// Whether the answer is a head alone, and hyper does not know it.
    is_only_head: bool,
    is_health: bool,
    /// Whose page asks, in case the answer finds no room.
    origin: Option<HeaderValue>,
}

impl Asked {
    fn new(request: &Parts, body: &Incoming) -> Self {
        let is_http1 = request.version <= Version::HTTP_11;
        Self {
            is_http1,
            has_body: !body.is_end_stream(),
            is_only_head: request.method == Method::HEAD && !is_http1,
            is_health: is_health(request.uri.path()),
            origin: request.headers.get(ORIGIN).cloned(),
        }
    }
}

/// An answer, there already or on its way.
enum Answer {
    /// Nobody has looked at the request yet.
    Asked(Option<(Arc<Answering>, Parts, Asked, InFlight)>),
    Now(Option<Response<Tracked<Body>>>),
    Later(Pin<Box<dyn Future<Output = Response<Tracked<Body>>> + Send>>),
}

impl Future for Answer {
    type Output = Result<Response<Tracked<Body>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut *self {
                Self::Asked(asked) => {
                    let (answering, request, asked, in_flight) = asked.take().expect("it becomes another one here");
                    *self = answering.answer(request, asked, in_flight);
                }
                Self::Now(response) => {
                    return Poll::Ready(Ok(response.take().expect("nobody polls what is ready again")));
                }
                Self::Later(answer) => return answer.as_mut().poll(context).map(Ok),
            }
        }
    }
}

/// Whether an answer with that status says how long a body would be (RFC 9110 §8.6). What a 304 would say is the
/// length of the representation, and its body is not that.
fn may_have_length(status: StatusCode) -> bool {
    !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Drives a connection until it ends, or until it is to end and has had its time for that. The connection comes in a
/// box: a future holds what it is given and what it makes of that, each in a place of its own.
async fn supervise<C: Future<Output = hyper::Result<()>>>(
    mut connection: Pin<Box<C>>,
    retire: impl FnOnce(Pin<&mut C>),
    activity: Arc<Activity>,
    deadlines: Deadlines,
    stopped: impl Future<Output = ()>,
) -> hyper::Result<()> {
    let most = tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        most = until_retired(&activity, &deadlines) => most,
        () = stopped => deadlines.finish,
    };
    activity.end();
    retire(connection.as_mut());
    tokio::select! {
        biased;
        ended = connection => ended,
        () = until_overdue(&activity, most, deadlines.farewell) => {
            tracing::debug!("cut off a connection that did not end in time");
            Ok(())
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

/// Waits until a connection has grown old, or has been quiet for too long: idle, or with an answer that the
/// peer does not take. Returns how long its end may take.
async fn until_retired(activity: &Activity, deadlines: &Deadlines) -> Duration {
    let retires_at = activity.born() + deadlines.jittered_age();
    loop {
        let limit = if activity.is_busy() { deadlines.stall } else { deadlines.idle };
        let quiet_at = activity.last_progress() + limit;
        let now = Instant::now();
        if quiet_at <= now {
            return deadlines.farewell;
        }
        if retires_at <= now {
            return deadlines.finish;
        }
        // A request that begins meanwhile may stall before an idle connection would be looked at again.
        let look_again = if activity.is_busy() { quiet_at } else { quiet_at.min(now + deadlines.stall) };
        sleep_until(look_again.min(retires_at)).await;
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
