//! A client that speaks HTTP/2 over one connection.

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::PATIENCE;
use super::http::Reply;

/// How much of an answer comes before somebody reads it.
const WINDOW: u32 = 64 << 10;

/// An HTTP/2 connection; it ends with this.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    connection: JoinSet<hyper::Result<()>>,
}

impl Client {
    /// Begins HTTP/2 at once, knowing that the server speaks it.
    pub(crate) async fn new(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self::with_windows(stream, WINDOW, WINDOW).await
    }

    /// The same with other windows: how much of one answer, and of all, comes before somebody reads it.
    pub(crate) async fn with_windows(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        of_stream: u32,
        of_connection: u32,
    ) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(of_stream).initial_connection_window_size(of_connection);
        let (sender, driver) = builder.handshake(TokioIo::new(stream)).await.expect("a connection");
        let mut connection = JoinSet::new();
        connection.spawn(driver);
        Self { sender, connection }
    }

    /// Sends a request; the answer's body is read later, or never.
    pub(crate) async fn begin(&self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        timeout(PATIENCE, self.sender.clone().send_request(request)).await.expect("an answer in time")
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> hyper::Result<Reply> {
        let (head, body) = self.begin(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        self.send(request(Method::GET, target, "")).await.expect("an answer")
    }

    /// Waits until the server ends the connection.
    pub(crate) async fn ended(mut self) {
        let _sender = self.sender;
        // Well or badly: a goodbye may be cut off.
        let _ = timeout(PATIENCE, self.connection.join_next()).await.expect("the connection ends in time");
    }
}

/// A request for a path, with a body.
pub(crate) fn request(method: Method, target: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let uri = format!("http://localhost{target}");
    Request::builder().method(method).uri(uri).body(Full::new(body.into())).expect("a request")
}
