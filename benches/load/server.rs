//! Accepting connections for the servers that are the benchmark's own, with the settings that the proxy gives hyper.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::Outcome;

/// As the proxy's.
const BACKLOG: u32 = 1024;
const MAX_HEADERS: usize = 128;
const MAX_HEAD_BYTES: u16 = 32 << 10;
const MAX_BUFFER_BYTES: usize = 64 << 10;
const MAX_STREAMS: u32 = 100;
const WINDOW_BYTES: u32 = 64 << 10;
const PART_BYTES: usize = 16 << 10;

/// Which HTTP a port speaks: nothing is guessed from what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// A server of ours ends with whoever started it.
pub(crate) fn end_with_parent() -> Outcome<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    Ok(())
}

pub(crate) fn listen(port: u16) -> Outcome<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], port)))?;
    Ok(socket.listen(BACKLOG)?)
}

/// Serves for ever what a function answers at once.
#[expect(clippy::disallowed_methods, reason = "it ends with its process")]
pub(crate) async fn serve<F>(listener: TcpListener, protocol: Protocol, answer: F) -> Outcome<()>
where
    F: Fn(&Request<Incoming>) -> Response<Full<Bytes>> + Clone + Send + Sync + 'static,
{
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A connection that its client has cut is no error of the server's.
        tokio::spawn(converse(stream, protocol, answer.clone()));
    }
}

async fn converse<F>(stream: TcpStream, protocol: Protocol, answer: F) -> hyper::Result<()>
where
    F: Fn(&Request<Incoming>) -> Response<Full<Bytes>> + Clone + Send + Sync + 'static,
{
    let service = service_fn(move |request| std::future::ready(Ok::<_, Infallible>(answer(&request))));
    let stream = TokioIo::new(stream);
    match protocol {
        Protocol::Http1 => {
            http1::Builder::new()
                .header_read_timeout(None)
                .half_close(true)
                .max_headers(MAX_HEADERS)
                .max_header_size(usize::from(MAX_HEAD_BYTES))
                .max_buf_size(MAX_BUFFER_BYTES)
                .serve_connection(stream, service)
                .await
        }
        Protocol::Http2 => {
            http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(MAX_STREAMS)
                .max_header_list_size(u32::from(MAX_HEAD_BYTES))
                .initial_stream_window_size(WINDOW_BYTES)
                .initial_connection_window_size(WINDOW_BYTES)
                .max_send_buf_size(PART_BYTES)
                .serve_connection(stream, service)
                .await
        }
    }
}
