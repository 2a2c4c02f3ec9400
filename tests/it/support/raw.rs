//! A server that answers every connection with the same bytes, whether they are HTTP or not.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Runs until it is dropped.
#[derive(Debug)]
pub(crate) struct RawServer {
    address: SocketAddr,
    _task: JoinSet<()>,
}

impl RawServer {
    /// Reads the head of each request, writes `answer`, and closes.
    pub(crate) async fn start(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer_with(stream, answer));
            }
        });
        Self { address, _task: task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v0.1/servers", self.address)
    }
}

async fn answer_with(mut stream: TcpStream, answer: &[u8]) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    // The client may have gone away; that is its right.
    let _ = stream.write_all(answer).await;
    let _ = stream.shutdown().await;
}

/// A URL at which nobody listens: the port was free a moment ago, and is held by nobody.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    format!("http://{address}/v0.1/servers")
}
