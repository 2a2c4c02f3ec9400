//! Accepting connections: how many, how long, and how they end. HTTP/1.1 by hyper itself.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::Service;

/// The most connections at a time; further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 10_000;
/// How long a connection may take to send a request's head. It bounds silent and idle ones too: hyper
/// starts the same clock after every response.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// The most headers of one request.
const MAX_HEADERS: usize = 64;
/// The largest head of a request.
const MAX_HEAD_BYTES: usize = 32 << 10;
/// The wait after an accept that failed, most often for want of file descriptors.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// The public listener, bound.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let tcp = TcpListener::bind(address).await?;
        let address = tcp.local_addr()?;
        Ok(Self { tcp, address })
    }

    /// Where it is bound; with port 0 in the configuration, the port that it got.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts connections until `stopped` ends. Then idle connections are closed and the others after
    /// the request in flight. Every connection is handed to `spawn`.
    pub async fn run<S, F>(self, service: Arc<Service>, spawn: impl Fn(Connection<S>), stopped: F)
    where
        F: Fn() -> S,
        S: Future<Output = ()> + Send + 'static,
    {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let stop = stopped();
        tokio::pin!(stop);
        loop {
            let accepted = async {
                // The semaphore is never closed.
                let slot = Arc::clone(&slots).acquire_owned().await.ok();
                (self.tcp.accept().await, slot)
            };
            let (accepted, slot) = tokio::select! {
                () = &mut stop => return,
                accepted = accepted => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    spawn(Connection { stream, service: Arc::clone(&service), stopped: stopped(), _slot: slot });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    }
}

/// An accepted connection.
#[derive(Debug)]
pub struct Connection<S> {
    stream: TcpStream,
    service: Arc<Service>,
    stopped: S,
    _slot: Option<tokio::sync::OwnedSemaphorePermit>,
}

impl<S: Future<Output = ()>> Connection<S> {
    /// Serves the connection to its end.
    pub async fn serve(self) {
        let Self { stream, service, stopped, _slot } = self;
        // Answers are written whole; waiting for more would only delay them.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let handle = service_fn(move |request: Request<Incoming>| {
            let service = Arc::clone(&service);
            async move { Ok::<_, Infallible>(service.handle(request.into_parts().0).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .half_close(true)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), handle);
        tokio::pin!(connection, stopped);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = stopped => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, "connection ended early");
        }
    }
}
