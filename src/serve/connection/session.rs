//! A connection that speaks HTTP: hyper does. `watch` ends what would go on for ever.

use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, ORIGIN};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{JoinError, JoinSet};

use super::super::handling::{Handled, Noted};
use super::super::note::REQUEST_ID;
use super::super::route::is_health;
use super::super::traced::Traced;
use super::super::traffic::{Answered, method_number};
use super::super::{Body, Entrance};
use super::activity::{Activity, InFlight, Tracked};
use super::deadlines::Deadlines;
use super::gathered::gathered;
use super::posted::Posted;
use super::remains::Remains;
use super::rest::Readable;
use super::streams::{Multiplexed, Streams, progressed};
use super::timed::Timed;
use super::watch::{Supervised, Watch, supervise};

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

/// One connection's requests.
pub(super) struct Session {
    pub(super) entrance: Arc<Entrance>,
    pub(super) activity: Arc<Activity>,
    pub(super) deadlines: Deadlines,
}

impl Session {
    /// Speaks HTTP/1 to the end of the connection. While nothing happens there is no hyper, whose buffers take most of
    /// what a connection does.
    pub(super) async fn http1<T>(
        self,
        mut stream: Timed<T>,
        mut is_stopped: bool,
        mut stopped: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> hyper::Result<()>
    where
        T: AsyncRead + AsyncWrite + Readable + Unpin + Send + 'static,
    {
        let Self { entrance, activity, deadlines } = self;
        // The whole body in one write.
        let kept = Arc::clone(&activity);
        let answering = Answering { entrance, activity: kept, part: usize::MAX, body: deadlines.body, remains: None };
        let answering = Arc::new(answering);
        let watch = Watch::new(activity, deadlines, true);
        loop {
            let connection = Box::pin(speak(stream, Arc::clone(&answering)));
            let stop = unless(is_stopped, stopped.as_mut());
            let resting = match supervise(connection, http1::Connection::graceful_shutdown, &watch, stop).await {
                Supervised::Ended(ended) => return ended,
                Supervised::Rests(connection) => Pin::into_inner(connection).into_parts(),
            };
            stream = resting.io.into_inner();
            stream.give_again(&resting.read_buf);
            // Whatever ends the rest, hyper finds out what it was, or is told.
            tokio::select! {
                biased;
                _ = poll_fn(|context| stream.poll_readable(context)) => {}
                _ = watch.until_quiet(false) => {}
                () = stopped.as_mut() => is_stopped = true,
            }
        }
    }

    /// Speaks HTTP/2 to the end of the connection.
    pub(super) async fn http2<T>(
        self,
        stream: Timed<T>,
        is_stopped: bool,
        stopped: impl Future<Output = ()>,
    ) -> hyper::Result<()>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { entrance, activity, deadlines } = self;
        let (streams, (stream, outgoing)) = (Streams::new(), gathered(stream));
        let (kept, remains) = (Arc::clone(&activity), Some(streams.remains(deadlines.linger)));
        let answering = Answering { entrance, activity: kept, part: PART_BYTES, body: deadlines.body, remains };
        let answering = Arc::new(answering);
        let handle = service_fn(move |request: Request<Incoming>| {
            let (request, posted, asked) = answering.take(request);
            // In the turn of the stream, and not where the connection is read.
            let (answering, in_flight) = (Arc::clone(&answering), answering.activity.begin());
            Answer::Asked(Some(Unanswered { answering, request, posted, asked, in_flight }))
        });
        let connection = http2::Builder::new(streams.clone())
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(u32::from(MAX_HEAD_BYTES))
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_send_buf_size(PART_BYTES)
            .keep_alive_interval(deadlines.ping_interval)
            .keep_alive_timeout(deadlines.ping_timeout)
            .serve_connection(TokioIo::new(stream), handle);
        let share = Arc::clone(activity.share());
        let multiplexed = Box::pin(Multiplexed::new(connection, streams, outgoing, deadlines, share));
        let retire = |multiplexed: Pin<&mut Multiplexed<_, _>>| {
            http2::Connection::graceful_shutdown(multiplexed.get_mut().connection());
        };
        let watch = Watch::new(activity, deadlines, false);
        match supervise(multiplexed, retire, &watch, unless(is_stopped, stopped)).await {
            Supervised::Ended(ended) => ended,
            Supervised::Rests(_) => Ok(()),
        }
    }
}

/// Makes hyper speak HTTP/1 over a stream.
fn speak<T>(stream: Timed<T>, answering: Arc<Answering>) -> http1::Connection<TokioIo<Timed<T>>, Requests>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    http1::Builder::new()
        // The stream's own clocks tell a slow head from an idle connection.
        .header_read_timeout(None)
        .half_close(true)
        .max_header_size(usize::from(MAX_HEAD_BYTES))
        .max_buf_size(MAX_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), Requests(answering))
}

/// The requests of a connection that speaks HTTP/1.
struct Requests(Arc<Answering>);

impl Service<Request<Incoming>> for Requests {
    type Response = Response<Tracked<Body>>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        let Self(answering) = self;
        // A body that nobody wants is dropped here and not later, so that hyper asks for no more of it.
        let (request, posted, asked) = answering.take(request);
        answering.answer(request, posted, asked, answering.activity.begin())
    }
}

/// What answers the requests of one connection.
struct Answering {
    entrance: Arc<Entrance>,
    activity: Arc<Activity>,
    /// How much of an answer is taken at a time.
    part: usize,
    /// How long a request's body may take.
    body: Duration,
    /// Where what is left of bodies is read (HTTP/2).
    remains: Option<Remains>,
}

impl Answering {
    /// Takes a request apart. Its body waits in a box of its own, if there is one.
    fn take(&self, request: Request<Incoming>) -> (Parts, Option<Box<Posted>>, Asked) {
        let (parts, body) = request.into_parts();
        let asked = Asked::new(&parts);
        let posted = (!body.is_end_stream())
            .then(|| Box::new(Posted::new(body, Arc::clone(&self.activity), self.body, self.remains.clone())));
        (parts, posted, asked)
    }

    /// Answers a request, if there is room for it and for its answer. Whether the process lives and is ready is said in
    /// any case: whoever asks that would end it otherwise.
    fn answer(
        self: &Arc<Self>,
        request: Parts,
        mut posted: Option<Box<Posted>>,
        asked: Asked,
        mut in_flight: InFlight,
    ) -> Answer {
        in_flight.begin_line(&request);
        let mut slot = if asked.is_health { None } else { self.activity.share().admit_request() };
        if slot.is_none() && !asked.is_health {
            drop(posted);
            let refusal = self.entrance.refuse(&request.headers);
            return Answer::Now(Some(self.dress(refusal, &asked, in_flight)));
        }
        if let Some(posted) = &mut posted {
            posted.hold(slot.take());
        }
        match self.entrance.handle_with(request, posted) {
            Handled::Now(noted) => Answer::Now(Some(self.send(noted, &asked, in_flight))),
            Handled::Later(handling) => {
                let this = Arc::clone(self);
                Answer::Later(Box::pin(async move {
                    let noted = handling.await;
                    drop(slot);
                    this.send(noted, &asked, in_flight)
                }))
            }
        }
    }

    /// Lets an answer out, or a refusal in place of one that finds no room.
    fn send(&self, mut noted: Noted, asked: &Asked, mut in_flight: InFlight) -> Response<Tracked<Body>> {
        if asked.is_health {
            return self.dress(noted, asked, in_flight);
        }
        let Some(sending) = self.activity.share().admit(noted.response.body().weight()) else {
            let origin = asked.origin.clone().map(|origin| (ORIGIN, origin));
            // The one that the client sent, if it did.
            let id = noted.response.headers().get(REQUEST_ID).map(|id| (REQUEST_ID, id.clone()));
            let mut refusal = self.entrance.refuse(&origin.into_iter().chain(id).collect());
            refusal.note.route = noted.note.route;
            Traced::hand_over(&mut noted.response, &mut refusal.response);
            return self.dress(refusal, asked, in_flight);
        };
        in_flight.hold(sending, asked.is_http1);
        let response = noted.response.map(|body| body.until(|| self.activity.ended()));
        self.dress(Noted { response, ..noted }, asked, in_flight)
    }

    /// Makes of an answer what hyper sends.
    fn dress(&self, noted: Noted, asked: &Asked, mut in_flight: InFlight) -> Response<Tracked<Body>> {
        let Noted { mut response, note } = noted;
        Traced::end(&mut response, &note);
        progressed();
        let is_stream = matches!(response.body(), Body::Stream(_));
        in_flight.note(Answered { note, method: asked.method, status: response.status(), is_stream }, &response);
        let leaves_body = asked.is_http1 && self.activity.leaves_body();
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

/// What a connection must know of a request.
struct Asked {
    is_http1: bool,
    /// The number of its method (`traffic`).
    method: u8,
    /// Whether the answer is a head alone, and hyper does not know it.
    is_only_head: bool,
    is_health: bool,
    /// Whose page asks, in case the answer finds no room.
    origin: Option<HeaderValue>,
}

impl Asked {
    fn new(request: &Parts) -> Self {
        let is_http1 = request.version <= Version::HTTP_11;
        Self {
            is_http1,
            method: method_number(&request.method),
            is_only_head: request.method == Method::HEAD && !is_http1,
            is_health: is_health(request.uri.path()),
            origin: request.headers.get(ORIGIN).cloned(),
        }
    }
}

/// A request at which nobody has looked yet.
struct Unanswered {
    answering: Arc<Answering>,
    request: Parts,
    posted: Option<Box<Posted>>,
    asked: Asked,
    in_flight: InFlight,
}

impl Unanswered {
    fn answer(self) -> Answer {
        let Self { answering, request, posted, asked, in_flight } = self;
        answering.answer(request, posted, asked, in_flight)
    }

    /// Answers at once what is there already. What takes work is made in a task of its own, so that the other streams
    /// of a connection have the other processors.
    fn begin(self) -> Answer {
        if self.asked.is_health || self.answering.entrance.is_at_hand(&self.request) {
            return self.answer();
        }
        let mut task = JoinSet::new();
        task.spawn(async move {
            match self.answer() {
                Answer::Now(response) => response.expect("nobody has taken it"),
                Answer::Later(answer) => answer.await,
                Answer::Asked(_) | Answer::Elsewhere(_) => unreachable!("it has been asked, here"),
            }
        });
        Answer::Elsewhere(task)
    }
}

/// An answer, there already or on its way.
enum Answer {
    /// There is only the request.
    Asked(Option<Unanswered>),
    /// It is made in a task of its own, which ends with this.
    Elsewhere(JoinSet<Response<Tracked<Body>>>),
    Now(Option<Response<Tracked<Body>>>),
    Later(Pin<Box<dyn Future<Output = Response<Tracked<Body>>> + Send>>),
}

impl Future for Answer {
    type Output = Result<Response<Tracked<Body>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut *self {
                Self::Asked(asked) => *self = asked.take().expect("it becomes another one here").begin(),
                Self::Elsewhere(task) => {
                    let made = ready!(task.poll_join_next(context)).expect("nobody polls what is ready again");
                    return match made.map_err(JoinError::try_into_panic) {
                        Ok(response) => {
                            progressed();
                            Poll::Ready(Ok(response))
                        }
                        Err(Ok(panic)) => resume_unwind(panic),
                        // With the runtime, which ends this too.
                        Err(Err(_)) => Poll::Pending,
                    };
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

/// Ready at once, if it is so already; else when that happens.
pub(super) async fn unless(is_so: bool, happens: impl Future<Output = ()>) {
    if !is_so {
        happens.await;
    }
}
