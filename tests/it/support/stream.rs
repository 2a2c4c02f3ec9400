//! Raw connections to the proxy: what is sent is bytes, and so is what comes back.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;

/// A connection.
pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("a connection")
}

/// Reads to the end of the connection, which must be a good one.
pub(crate) async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection ends in time");
    read.expect("the connection ends well");
    String::from_utf8(bytes).expect("answers are text")
}

/// Sends bytes, and reads to the end of the connection, which only the server ends.
pub(crate) async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = connect(address).await;
    stream.write_all(bytes.as_ref()).await.expect("it reads");
    read_to_end(&mut stream).await
}

/// The status of an answer.
#[track_caller]
pub(crate) fn status(answer: &str) -> u16 {
    let status = answer.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    status.unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

/// A header of an answer, in lower case; empty where there is none.
pub(crate) fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    let (head, _) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let value = head.lines().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then_some(value)
    });
    value.unwrap_or_default()
}

/// Whether an answer has what every one of ours has: pages of other origins may read it, and it names the proxy.
pub(crate) fn is_ours(answer: &str) -> bool {
    header(answer, "access-control-allow-origin") == "*" && !header(answer, "mcp-registry-proxy").is_empty()
}
