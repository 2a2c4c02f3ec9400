//! One HTTP request over a connection of its own, for everything that is not measured.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::Outcome;

const PATIENCE: Duration = Duration::from_secs(30);

/// A complete answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// A header's value; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Outcome<serde_json::Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

/// What sends requests, one after the other.
#[derive(Debug)]
pub(crate) struct Client(Runtime);

impl Client {
    pub(crate) fn new() -> Outcome<Self> {
        Ok(Self(tokio::runtime::Builder::new_current_thread().enable_all().build()?))
    }

    pub(crate) fn get(&self, address: SocketAddr, target: &str, headers: &[(String, String)]) -> Outcome<Reply> {
        self.send(Method::GET, address, target, headers)
    }

    pub(crate) fn post(&self, address: SocketAddr, target: &str) -> Outcome<Reply> {
        self.send(Method::POST, address, target, &[])
    }

    /// The status; none where nobody answers.
    pub(crate) fn status(&self, address: SocketAddr, target: &str) -> Option<u16> {
        self.get(address, target, &[]).ok().map(|reply| reply.status)
    }

    fn send(&self, method: Method, address: SocketAddr, target: &str, headers: &[(String, String)]) -> Outcome<Reply> {
        let sent = async { timeout(PATIENCE, send(method, address, target, headers)).await };
        let reply = self.0.block_on(sent).map_err(|_| format!("http://{address}{target} was not answered in time"))?;
        reply.map_err(|error| format!("http://{address}{target}: {error}").into())
    }
}

async fn send(method: Method, address: SocketAddr, target: &str, headers: &[(String, String)]) -> Outcome<Reply> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::builder().method(method).uri(target).header("host", address.to_string());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let request = request.body(Empty::<Bytes>::new())?;
    // The sender is dropped with this block, and then the connection ends too.
    let exchange = async move {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok::<_, hyper::Error>(Reply { status: head.status.as_u16(), headers: head.headers, body })
    };
    let (reply, _) = tokio::join!(exchange, connection);
    Ok(reply?)
}
