//! One connection, from accepting to its end: which HTTP it speaks, then hyper, under deadlines of ours.
//! Every wait for a peer has a bound; how long, [`Deadlines`] says.

mod activity;
mod counts;
mod deadlines;
mod gathered;
mod lines;
mod linger;
mod load;
mod posted;
mod remains;
mod request_log;
mod rest;
mod session;
mod sniff;
mod streams;
mod timed;
mod watch;

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::Entrance;
use super::addresses::Connected;
use super::tls::Tls;
use activity::Activity;
pub(super) use counts::Open;
pub use deadlines::Deadlines;
pub use load::Load;
use load::Share;
pub(super) use posted::{Posted, Unread};
use rest::Readable;
use session::Session;
use sniff::{Protocol, sniff};
use timed::Timed;

/// What all connections of a listener share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) entrance: Arc<Entrance>,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) deadlines: Deadlines,
    pub(super) load: Arc<Load>,
}

/// An accepted connection.
#[derive(Debug)]
pub struct Connection<S> {
    pub(super) stream: TcpStream,
    pub(super) client: SocketAddr,
    pub(super) shared: Arc<Shared>,
    pub(super) stopped: S,
    pub(super) _slot: Option<OwnedSemaphorePermit>,
    pub(super) _connected: Option<Connected>,
    pub(super) _open: Open,
}

impl<S: Future<Output = ()> + Send> Connection<S> {
    /// Serves the connection to its end.
    pub async fn serve(self) {
        let Self { stream, client, shared, stopped, _slot, _connected, _open } = self;
        let stopped = pin!(stopped);
        let served = match &shared.tls {
            // In a box, so that plain connections need not carry what only this one takes.
            Some(tls) => Box::pin(serve_encrypted(stream, client, tls, &shared, stopped)).await,
            // Answers are written whole; waiting for more would only delay them.
            None => match stream.set_nodelay(true) {
                Ok(()) => serve(stream, client, None, &shared, false, stopped).await,
                Err(error) => Err(error),
            },
        };
        if let Err(error) = served {
            tracing::debug!(%error, %client, "connection ended early");
        }
    }
}

/// Serves a connection after its handshake.
async fn serve_encrypted(
    stream: TcpStream,
    client: SocketAddr,
    tls: &Tls,
    shared: &Shared,
    mut stopped: Pin<&mut (impl Future<Output = ()> + Send)>,
) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut handshake = pin!(tls.acceptor().accept(stream));
    let (stream, is_stopped) = tokio::select! {
        biased;
        stream = within(shared.deadlines.handshake, handshake.as_mut()) => (stream?, false),
        () = stopped.as_mut() => (within(LAST_CALL, handshake).await?, true),
    };
    let protocol = negotiated(&stream);
    serve(stream, client, protocol, shared, is_stopped, stopped).await
}

/// What client and server agreed on, if the client had anything to say about it.
fn negotiated(stream: &TlsStream<TcpStream>) -> Option<Protocol> {
    let (_, session) = stream.get_ref();
    session.alpn_protocol().map(|name| if name == super::tls::HTTP2 { Protocol::Http2 } else { Protocol::Http1 })
}

/// Speaks HTTP over a stream until either side ends it, or `stopped` does.
async fn serve<T: AsyncRead + AsyncWrite + Readable + Unpin + Send + 'static>(
    stream: T,
    client: SocketAddr,
    negotiated: Option<Protocol>,
    shared: &Shared,
    was_stopped: bool,
    mut stopped: Pin<&mut (impl Future<Output = ()> + Send)>,
) -> Result<()> {
    let mut sniffing = pin!(sniff(stream));
    let (sniffed, is_stopped) = tokio::select! {
        biased;
        sniffed = within(shared.deadlines.first_bytes, sniffing.as_mut()), if !was_stopped => (sniffed?, false),
        // Its first request may be on its way: who has been let in is answered.
        () = session::unless(was_stopped, stopped.as_mut()) => (within(LAST_CALL, sniffing).await?, true),
    };
    let (sniffed, stream) = sniffed;
    let protocol = negotiated.unwrap_or(sniffed);
    let activity = Activity::new(Share::of(Arc::clone(&shared.load)), Some(client));
    let stream = Timed::new(stream, protocol, Arc::clone(&activity), shared.deadlines);
    let session = Session { entrance: Arc::clone(&shared.entrance), activity, deadlines: shared.deadlines };
    let ended = match protocol {
        Protocol::Http1 => session.http1(stream, is_stopped, stopped).await,
        Protocol::Http2 => Box::pin(session.http2(stream, is_stopped, stopped)).await,
    };
    ended.map_err(Error::other)
}

/// How long a connection that has just been made has for its first bytes when the process ends.
const LAST_CALL: Duration = Duration::from_secs(1);

/// Waits so long and no longer.
async fn within<T>(limit: Duration, waiting: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Err(Error::new(ErrorKind::TimedOut, "it does not begin to speak"));
    timeout(limit, waiting).await.unwrap_or_else(late)
}
