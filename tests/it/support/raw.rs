//! A server that answers every connection with the same bytes, whether they are HTTP or not.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Runs until it is dropped.
#[derive(Debug)]
pub(crate) struct RawServer {
    address: SocketAddr,
    _task: JoinSet<()>,
}

impl RawServer {
    /// Reads the head of each request, writes `answer`, and closes.
    pub(crate) async fn start(answer: impl Into<Bytes>) -> Self {
        Self::start_with(answer.into(), None).await
    }

    /// The same, a byte at a time with so long between them.
    pub(crate) async fn start_dripping(answer: impl Into<Bytes>, interval: Duration) -> Self {
        Self::start_with(answer.into(), Some(interval)).await
    }

    async fn start_with(answer: Bytes, interval: Option<Duration>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer_with(stream, answer.clone(), interval));
            }
        });
        Self { address, _task: task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v0.1/servers", self.address)
    }
}

async fn answer_with(mut stream: TcpStream, answer: Bytes, interval: Option<Duration>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    // The client may have gone away; that is its right.
    match interval {
        None => drop(stream.write_all(&answer).await),
        Some(interval) => {
            for byte in answer {
                sleep(interval).await;
                if stream.write_u8(byte).await.is_err() {
                    return;
                }
            }
        }
    }
    let _ = stream.shutdown().await;
}

/// A URL at which nobody listens: the port was free a moment ago, and is held by nobody.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    format!("http://{address}/v0.1/servers")
}
