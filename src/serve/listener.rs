//! Accepting connections: how many, and how that ends.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

use super::Entrance;
use super::addresses::Addresses;
use super::connection::{Connection, Deadlines, Load, Open, Shared};
use super::descriptors::{self, Audience};
use super::limits::Limits;
use super::tls::Tls;

/// How many connections wait in the kernel's queue while there are too many.
const BACKLOG: u32 = 1024;
/// How much of an answer the kernel takes before the client does. It bounds memory. It also bounds how slowly a
/// client may read, since the kernel tells of room only when about a third of this is free: who does not take that
/// much within `Deadlines::stall`, some 3 to 6 KiB a second, counts as one that does not read, and is cut off.
const SEND_BUFFER_BYTES: u32 = 256 << 10;
/// The wait after an accept that failed, most often for want of file descriptors. It doubles, up to the last.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(5);
const ACCEPT_BACKOFF_AT_MOST: Duration = Duration::from_secs(1);

/// A listener, bound: the public one, unless it is made the admin one.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    audience: Audience,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
    deadlines: Deadlines,
    limits: Limits,
    load: Arc<Load>,
}

impl Listener {
    /// Binds, and speaks TLS where there is a certificate for it.
    ///
    /// # Errors
    /// When the address cannot be bound.
    #[expect(clippy::unused_async, reason = "sockets belong to a runtime, which only an async caller surely has")]
    pub async fn bind(address: SocketAddr, tls: Option<Arc<Tls>>) -> std::io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A port whose last connections are still closing can be had again at once.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        // Accepted connections inherit it.
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.bind(address)?;
        let tcp = socket.listen(BACKLOG)?;
        let address = tcp.local_addr()?;
        let limits = Limits::default();
        let load = Arc::new(Load::new(&limits));
        let audience = Audience::Public;
        Ok(Self { tcp, audience, address, tls, deadlines: Deadlines::default(), limits, load })
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, load: Arc::new(Load::new(&limits)), ..self }
    }

    /// The same for those who run the proxy, with the limits that are theirs.
    #[must_use]
    pub fn for_admin(self) -> Self {
        Self { audience: Audience::Admin, ..self.with_limits(Limits::ADMIN) }
    }

    /// What it has in flight.
    #[must_use]
    pub fn load(&self) -> &Arc<Load> {
        &self.load
    }

    /// The same with other deadlines, for tests.
    #[must_use]
    pub fn with_deadlines(self, deadlines: Deadlines) -> Self {
        Self { deadlines, ..self }
    }

    /// Where it is bound; with port 0 in the configuration, the port that it got.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How long its connections may take to end once they are asked to.
    #[must_use]
    pub fn drain_limit(&self) -> Duration {
        self.deadlines.drain_limit()
    }

    /// The certificate that it shows, where it speaks TLS.
    #[must_use]
    pub fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    /// Accepts connections until `stopped` ends. Then idle connections are closed and the others after
    /// the request in flight. Every connection is handed to `spawn`, handshake included.
    pub async fn run<S, F>(self, entrance: Arc<Entrance>, spawn: impl Fn(Connection<S>), stopped: F)
    where
        F: Fn() -> S,
        S: Future<Output = ()> + Send + 'static,
    {
        let Self { tcp, audience, tls, deadlines, limits, load, .. } = self;
        let shared = Arc::new(Shared { entrance, tls, deadlines, load });
        let slots = Arc::new(Semaphore::new(descriptors::connections(audience, limits.connections)));
        let addresses = (limits.connections_per_address > 0).then(|| Addresses::new(limits.connections_per_address));
        let mut failures = Failures::default();
        let stop = stopped();
        tokio::pin!(stop);
        let admit = |stream: TcpStream, peer: SocketAddr, slot: Option<OwnedSemaphorePermit>| {
            let connected = addresses.as_ref().map(|addresses| addresses.connect(peer.ip()));
            if let Some(None) = connected {
                shared.load.connections.note_rejected();
                tracing::debug!(%peer, "closed a connection: its address has enough of them");
                return;
            }
            spawn(Connection {
                stream,
                client: peer,
                _open: Open::new(&shared.load),
                shared: Arc::clone(&shared),
                stopped: stopped(),
                _slot: slot,
                _connected: connected.flatten(),
            });
        };
        loop {
            let accepted = async {
                failures.pause().await;
                // The semaphore is never closed.
                let slot = Arc::clone(&slots).acquire_owned().await.ok();
                (tcp.accept().await, slot)
            };
            let (accepted, slot) = tokio::select! {
                () = &mut stop => break,
                accepted = accepted => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    failures.end();
                    admit(stream, peer, slot);
                }
                Err(error) if is_of_the_client(error.kind()) => {}
                Err(error) => {
                    shared.load.connections.note_failed();
                    failures.count(&error);
                }
            }
        }
        // Whoever has a connection already, and was not let in yet, would see it break.
        let Ok(queue) = tcp.into_std() else { return };
        for _ in 0..BACKLOG {
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { return };
            let accepted = queue.accept().and_then(|(stream, peer)| {
                stream.set_nonblocking(true)?;
                Ok((TcpStream::from_std(stream)?, peer))
            });
            match accepted {
                Ok((stream, peer)) => admit(stream, peer, Some(slot)),
                Err(error) if is_of_the_client(error.kind()) => {}
                Err(_) => return,
            }
        }
    }
}

/// Accepts that failed in a row.
#[derive(Debug, Default)]
struct Failures(u32);

impl Failures {
    /// Says the first one; a process that is out of file descriptors has better to do than to say them all.
    fn count(&mut self, error: &Error) {
        if self.0 == 0 {
            tracing::warn!(%error, "cannot accept connections; trying on");
        }
        self.0 = self.0.saturating_add(1);
    }

    /// Waits before the next attempt: longer with every failure, and not at all without one.
    async fn pause(&self) {
        if let Some(doublings) = self.0.checked_sub(1) {
            let wait = ACCEPT_BACKOFF.saturating_mul(2_u32.saturating_pow(doublings));
            sleep(wait.min(ACCEPT_BACKOFF_AT_MOST)).await;
        }
    }

    /// It works again.
    fn end(&mut self) {
        let failures = std::mem::take(&mut self.0);
        if failures > 0 {
            tracing::info!(failures, "accepting connections again");
        }
    }
}

/// Whether an accept failed only because the client had gone already.
fn is_of_the_client(error: ErrorKind) -> bool {
    matches!(error, ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn attempts_come_later_and_later_until_one_succeeds() {
        let mut failures = Failures::default();
        let mut waits = Vec::new();
        for _ in 0..40 {
            let before = Instant::now();
            failures.pause().await;
            waits.push(before.elapsed().as_millis());
            failures.count(&ErrorKind::Other.into());
        }
        assert_eq!(waits[..4], [0, 5, 10, 20]);
        assert_eq!(waits[39], 1_000);
        failures.end();
        let before = Instant::now();
        failures.pause().await;
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
}
