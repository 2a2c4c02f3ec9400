//! A server that answers every connection with the same bytes, whether they are HTTP or not.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
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

/// A server that keeps the body of each request, and refuses it. Runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Recorder {
    address: SocketAddr,
    bodies: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that goes away has sent nothing.
                let _ = refuse(stream, &kept).await;
            }
        });
        Self { address, bodies, _task: task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bodies of all requests, in order.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.bodies.lock().expect("nobody panicked").clone()
    }
}

/// Reads a request whose head says how long its body is, and answers with an error.
async fn refuse(mut stream: TcpStream, kept: &Mutex<Vec<String>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    // Before it is answered: who has the answer can look.
    kept.lock().expect("nobody panicked").push(String::from_utf8(body).ok()?);
    let answer = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    stream.write_all(answer).await.ok()
}

/// A URL at which nobody listens: the port was free a moment ago, and is held by nobody.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    format!("http://{address}/v0.1/servers")
}
