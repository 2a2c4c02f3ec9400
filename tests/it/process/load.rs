//! Clients that ask without a pause, and what became of each of their requests.
//!
//! No request is lost: each one is answered whole, or its connection ends before a single byte of an answer. The
//! latter is nobody's request yet: a server may close a connection that it has kept open at any time, a client learns
//! of that only afterwards, and asks again elsewhere (RFC 9112 §9.3.1, §9.5). It may happen once per connection, only
//! at its end, and never to the first request of one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::stream::{header, status};
use crate::support::{PATIENCE, check, eventually};

const REQUEST: &[u8] = b"GET /v0.1/servers?limit=50 HTTP/1.1\r\nHost: a\r\n\r\n";

/// What came of one request.
enum Sent {
    /// A whole answer; after it the connection goes on, or not.
    Answered { goes_on: bool },
    /// Not a byte.
    Nothing,
}

/// What became of the requests of one client.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) answered: usize,
    /// Of connections that had been answered on before.
    pub(super) untouched: usize,
    pub(super) lost: Vec<String>,
}

/// Clients that ask until their connections end.
pub(super) struct Load {
    clients: JoinSet<Ledger>,
    answered: Arc<AtomicUsize>,
}

impl Load {
    /// So many, each with one connection, which is open when this returns.
    pub(super) async fn start(address: SocketAddr, clients: usize) -> Self {
        let answered = Arc::new(AtomicUsize::new(0));
        let mut running = JoinSet::new();
        for _ in 0..clients {
            let stream = TcpStream::connect(address).await.expect("a connection");
            running.spawn(hammer(stream, Arc::clone(&answered)));
        }
        let load = Self { clients: running, answered };
        // Each has been answered a few times on average: all are accepted, and busy.
        load.until_answered(clients * 4).await;
        load
    }

    /// Waits for so many more answers.
    pub(super) async fn until_answered(&self, more: usize) {
        let goal = self.answered.load(Ordering::Relaxed) + more;
        eventually("they were answered", async || {
            let answered = self.answered.load(Ordering::Relaxed);
            check(goal <= answered, answered)
        })
        .await;
    }

    /// Waits until all connections have ended.
    pub(super) async fn ended(self) -> Ledger {
        let ledgers = timeout(PATIENCE * 3, self.clients.join_all()).await.expect("the connections end");
        ledgers.into_iter().fold(Ledger::default(), |mut all, mut one| {
            all.answered += one.answered;
            all.untouched += one.untouched;
            all.lost.append(&mut one.lost);
            all
        })
    }

    /// Whether until now no connection has ended, and so no request been lost.
    pub(super) fn is_whole(&mut self) -> bool {
        self.clients.try_join_next().is_none()
    }
}

async fn hammer(mut stream: TcpStream, answered: Arc<AtomicUsize>) -> Ledger {
    let mut ledger = Ledger::default();
    loop {
        match ask(&mut stream).await {
            Ok(Sent::Answered { goes_on }) => {
                ledger.answered += 1;
                answered.fetch_add(1, Ordering::Relaxed);
                if !goes_on {
                    return ledger;
                }
            }
            Ok(Sent::Nothing) if ledger.answered > 0 => {
                ledger.untouched += 1;
                return ledger;
            }
            Ok(Sent::Nothing) => {
                ledger.lost.push("the first request of a connection was not answered".to_owned());
                return ledger;
            }
            Err(found) => {
                ledger.lost.push(found);
                return ledger;
            }
        }
    }
}

/// Asks once; an error is an answer that is broken or not good.
async fn ask(stream: &mut TcpStream) -> Result<Sent, String> {
    if stream.write_all(REQUEST).await.is_err() {
        return Ok(Sent::Nothing);
    }
    let mut answer = Vec::new();
    loop {
        let read = timeout(PATIENCE, stream.read_buf(&mut answer)).await.map_err(|_| "no answer in time".to_owned())?;
        match read {
            Ok(1..) => {}
            _ if answer.is_empty() => return Ok(Sent::Nothing),
            end => return Err(format!("{end:?} after {} bytes", answer.len())),
        }
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length: usize = header(&text, "content-length").parse().map_err(|_| format!("no length: {head}"))?;
        if body.len() < length {
            continue;
        }
        if status(&text) != 200 || body.len() > length {
            return Err(text.into_owned());
        }
        return Ok(Sent::Answered { goes_on: !header(&text, "connection").eq_ignore_ascii_case("close") });
    }
}
