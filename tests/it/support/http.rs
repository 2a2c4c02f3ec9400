//! One HTTP request over a connection of its own.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// The body as text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("bodies are UTF-8")
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("the body is not JSON ({error}): {}", self.text()))
    }

    /// A header's value; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("headers are text")).unwrap_or_default()
    }

    /// The `detail` of a problem.
    #[track_caller]
    pub(crate) fn detail(&self) -> String {
        let body = self.json();
        body["detail"].as_str().unwrap_or_else(|| panic!("no problem document: {body}")).to_owned()
    }
}

/// Sends a request without a body, and without any header that is not needed.
pub(crate) async fn send(address: SocketAddr, method: Method, target: &str) -> Reply {
    send_with(address, method, target, &[]).await
}

/// Posts a body, with these headers too.
pub(crate) async fn post(address: SocketAddr, target: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
    send_whole(address, Method::POST, target, headers, body.into()).await
}

/// Sends a request without a body and with these headers.
pub(crate) async fn send_with(address: SocketAddr, method: Method, target: &str, headers: &[(&str, &str)]) -> Reply {
    send_whole(address, method, target, headers, Bytes::new()).await
}

/// Sends a request without a body, which may fail.
pub(crate) async fn try_get(address: SocketAddr, target: &str) -> Result<Reply, Failure> {
    let asked = timeout(PATIENCE, try_send(address, Method::GET, target, &[], Bytes::new())).await;
    asked.map_err(|_| "it was not answered in time")?
}

/// Why there is no answer.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn send_whole(address: SocketAddr, method: Method, target: &str, headers: &[(&str, &str)], body: Bytes) -> Reply {
    let reply = timeout(PATIENCE, try_send(address, method, target, headers, body)).await;
    let reply = reply.unwrap_or_else(|_| panic!("the request for {target} was not answered in time"));
    reply.unwrap_or_else(|error| panic!("the request for {target} failed: {error}"))
}

async fn try_send(
    address: SocketAddr,
    method: Method,
    target: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<Reply, Failure> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::builder().method(method).uri(target).header("host", address.to_string());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(Full::new(body))?;
    // The sender is dropped with this block, and then the connection ends too.
    let exchange = async move {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok::<_, hyper::Error>(Reply { status: head.status.as_u16(), headers: head.headers, body })
    };
    let (reply, connection) = tokio::join!(exchange, connection);
    let reply = reply?;
    connection?;
    Ok(reply)
}
