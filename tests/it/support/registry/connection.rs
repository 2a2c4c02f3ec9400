//! One connection to the scripted registry: hyper, and the ways in which an answer may fail to come.

use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tokio_rustls::server::TlsStream;

use super::script::{Behaviour, End, Wire, decide};
use super::{Seen, Shared, State, pages};

/// What a script wants of the connection, beyond an answer.
#[derive(Clone, Default)]
struct Wishes(Arc<Mutex<(Option<Wire>, bool)>>);

impl Wishes {
    fn send(&self, wire: Wire) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(wire);
    }

    fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
    }

    fn wire(&self) -> Option<Wire> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.take()
    }

    fn is_over(&self) -> bool {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).1)
    }
}

/// A connection that can be reset.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn cut(self);
}

impl Transport for TcpStream {
    fn cut(self) {
        self.set_zero_linger().expect("a socket option");
    }
}

impl Transport for TlsStream<TcpStream> {
    fn cut(self) {
        self.get_ref().0.set_zero_linger().expect("a socket option");
    }
}

pub(super) async fn serve(stream: impl Transport, shared: Arc<Shared>) {
    let wishes = Wishes::default();
    let asked = wishes.clone();
    let service = service_fn(move |request| {
        let (shared, wishes) = (Arc::clone(&shared), asked.clone());
        Box::pin(async move { answer(&shared, &request, &wishes).await })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // An error is what most scripts are about; the client sees its side of it.
    let _ = poll_fn(|context| {
        if wishes.is_over() {
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(context)
    })
    .await;
    let stream = connection.into_parts().io.into_inner();
    if let Some(wire) = wishes.wire() {
        send(stream, wire).await;
    }
}

/// The same over HTTP/2, where what cannot be answered is a stream that is reset.
pub(super) async fn serve_h2(stream: TlsStream<TcpStream>, shared: Arc<Shared>) {
    let wishes = Wishes::default();
    let asked = wishes.clone();
    let service = service_fn(move |request| {
        let (shared, wishes) = (Arc::clone(&shared), asked.clone());
        Box::pin(async move { answer(&shared, &request, &wishes).await })
    });
    let builder = http2::Builder::new(TokioExecutor::new());
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let _ = poll_fn(|context| {
        if wishes.is_over() {
            Pin::new(&mut connection).graceful_shutdown();
        }
        Pin::new(&mut connection).poll(context)
    })
    .await;
}

/// Sends what the script has in place of an answer. The client may have gone away; that is its right.
async fn send(mut stream: impl Transport, wire: Wire) {
    match wire.interval {
        None => drop(stream.write_all(&wire.bytes).await),
        Some(interval) => {
            for byte in wire.bytes {
                sleep(interval).await;
                if stream.write_u8(byte).await.is_err() {
                    return;
                }
            }
        }
    }
    let _ = stream.flush().await;
    match wire.end {
        End::Close => drop(stream.shutdown().await),
        End::Reset => stream.cut(),
        End::Silence => drop(stream.read_u8().await),
    }
}

/// Counts a request for as long as it is in flight, or on hold.
struct Counted<'a> {
    shared: &'a Shared,
    counter: fn(&mut State) -> &mut usize,
}

impl<'a> Counted<'a> {
    fn new(shared: &'a Shared, counter: fn(&mut State) -> &mut usize) -> Self {
        *counter(&mut shared.state()) += 1;
        Self { shared, counter }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        *(self.counter)(&mut self.shared.state()) -= 1;
    }
}

async fn answer(shared: &Shared, request: &Request<Incoming>, wishes: &Wishes) -> Result<Response<Script>, io::Error> {
    let _in_flight = Counted::new(shared, |state| &mut state.in_flight);
    let seen = Seen {
        at: Instant::now(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: request.headers().clone(),
    };
    let mut releases = shared.releases.subscribe();
    match note_and_decide(shared, &seen)? {
        Behaviour::Behave | Behaviour::Depends(_) => {}
        Behaviour::Slow(duration) => sleep(duration).await,
        Behaviour::Hold => {
            let _held = Counted::new(shared, |state| &mut state.held);
            releases.changed().await.map_err(io::Error::other)?;
        }
        Behaviour::Headers(more) => {
            let (status, body) = behave(shared, &seen);
            let mut response = respond(status, "application/json", Script::whole(body));
            for (name, value) in more {
                let value = HeaderValue::try_from(value).expect("a header");
                response.headers_mut().append(name, value);
            }
            return Ok(response);
        }
        Behaviour::Status(status, headers) => return Ok(with_status(status, &headers)),
        Behaviour::Body(kind, body) => return Ok(respond(StatusCode::OK, kind, Script::whole(body))),
        Behaviour::Tagged(tag, body) => {
            let mut response = respond(StatusCode::OK, "application/json", Script::whole(body));
            response.headers_mut().insert("etag", HeaderValue::try_from(tag).expect("a tag"));
            return Ok(response);
        }
        Behaviour::Redirect(location) => return Ok(with_status(302, &[(LOCATION.as_str(), location)])),
        Behaviour::CloseBeforeResponse => return Err(io::Error::other("closed by the script")),
        Behaviour::Reset => {
            wishes.send(Wire { bytes: Bytes::new(), interval: None, end: End::Reset });
            return Err(io::Error::other("reset by the script"));
        }
        Behaviour::Wire(wire) => {
            wishes.send(wire);
            return Err(io::Error::other("taken over by the script"));
        }
        Behaviour::LastOne => wishes.end(),
        Behaviour::Truncated => {
            let (status, body) = behave(shared, &seen);
            return Ok(respond(status, "application/json", Script::half(&body)));
        }
    }
    let (status, body) = behave(shared, &seen);
    Ok(respond(status, "application/json", Script::whole(body)))
}

/// A panic of the script is kept for the test; the client sees a closed connection.
fn note_and_decide(shared: &Shared, seen: &Seen) -> Result<Behaviour, io::Error> {
    let mut guard = shared.state();
    let state = &mut *guard;
    state.requests.push(seen.clone());
    state.most_in_flight = state.most_in_flight.max(state.in_flight);
    catch_unwind(AssertUnwindSafe(|| decide(&mut state.script, seen))).map_err(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        state.panics.push(message.unwrap_or_default());
        io::Error::other("the script panicked")
    })
}

fn behave(shared: &Shared, seen: &Seen) -> (StatusCode, Bytes) {
    let state = shared.state();
    if !state.roots.contains(&seen.path) {
        let beside = |root: &String| seen.path.strip_prefix(root.as_str())?.strip_prefix('/');
        if let Some(rest) = state.roots.iter().find_map(beside) {
            let (status, body) = pages::look_up(&state.entries, rest);
            return (status, body.to_string().into());
        }
        return (StatusCode::NOT_FOUND, Bytes::from_static(b"{\"status\":404,\"detail\":\"Endpoint not found.\"}"));
    }
    let (status, body) = pages::page(&state.entries, seen);
    (status, body.to_string().into())
}

fn respond(status: StatusCode, kind: &str, body: Script) -> Response<Script> {
    Response::builder().status(status).header(CONTENT_TYPE, kind).body(body).expect("a response")
}

fn with_status(status: u16, headers: &[(&'static str, String)]) -> Response<Script> {
    let response = Response::builder().status(status);
    let response = headers.iter().fold(response, |response, (name, value)| response.header(*name, value));
    response.body(Script::whole(Bytes::new())).expect("a response")
}

/// A body that may break off.
struct Script {
    chunk: Option<Bytes>,
    then: Then,
}

enum Then {
    End,
    /// Once more, so that what there is gets sent, and then with an error.
    Wait,
    Break,
}

impl Script {
    fn whole(body: Bytes) -> Self {
        Self { chunk: Some(body), then: Then::End }
    }

    fn half(body: &Bytes) -> Self {
        Self { chunk: Some(body.slice(..body.len() / 2)), then: Then::Wait }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(chunk) = self.chunk.take() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match self.then {
            Then::End => Poll::Ready(None),
            Then::Wait => {
                self.then = Then::Break;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Then::Break => Poll::Ready(Some(Err(io::Error::other("broken off by the script")))),
        }
    }
}
