//! How the proxy ends: requests in flight finish, idle connections close, a second signal ends it at once.

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::binary::{Serving, Workplace};
use crate::support::entry::{Entry, list};
use crate::support::http::send;
use crate::support::{PATIENCE, check, eventually};

const CONFIGURATION: &str = r#"
[server]
listen = "127.0.0.1:0"
[network]
proxy = "off"
[log]
format = "json"
[[registries]]
name = "curated"
file = "curated.json"
"#;

/// More than the buffers of two sockets hold, so that an answer is in flight until somebody reads it.
fn large_list() -> String {
    let text = "x".repeat(200 << 10);
    let entry = |number: u32| Entry::new(&format!("com.example/{number:03}"), "1.0.0").server("note", text.clone());
    list(&(0..100).map(entry).collect::<Vec<_>>(), None).to_string()
}

async fn serve(content: &str) -> (Workplace, Serving) {
    let workplace = Workplace::new();
    workplace.write("curated.json", content);
    workplace.write("proxy.toml", CONFIGURATION);
    let serving = workplace.serve(&["--config", "proxy.toml"]).await;
    until_ready(serving.address).await;
    (workplace, serving)
}

async fn until_ready(address: SocketAddr) {
    eventually("/readyz was 200", async || {
        let reply = send(address, Method::GET, "/readyz").await;
        check(reply.status == 200, reply.text())
    })
    .await;
}

/// Asks for the whole list and reads the head of the answer; the body stays in flight.
async fn begin_large_answer(address: SocketAddr) -> (TcpStream, usize) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET /v0.1/servers?limit=100 HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.expect("an answer in time").expect("an answer"));
    }
    let head = String::from_utf8(head).expect("a head is text").to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    (stream, length.expect("a length"))
}

/// Reads to the end of the connection; returns how much came.
async fn read_to_end(stream: &mut TcpStream) -> usize {
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the connection ends in time");
    read.expect("the connection ends well")
}

async fn until_refused(address: SocketAddr) {
    eventually("the listener closed", async || check(TcpStream::connect(address).await.is_err(), "it accepts")).await;
}

#[tokio::test]
async fn after_a_signal_the_answer_in_flight_is_finished_and_the_process_ends_well() {
    for signal in ["TERM", "INT"] {
        let (_workplace, mut serving) = serve(&large_list()).await;
        let mut idle = TcpStream::connect(serving.address).await.expect("a connection");
        let (mut busy, length) = begin_large_answer(serving.address).await;
        serving.signal(signal);
        until_refused(serving.address).await;
        assert_eq!(read_to_end(&mut idle).await, 0, "an idle connection is closed");
        assert!(serving.is_running(), "it waits for the answer in flight");
        assert_eq!(read_to_end(&mut busy).await, length, "the answer is whole, and then the connection ends");
        assert_eq!(serving.exit_code().await, Some(0));
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let (_workplace, mut serving) = serve(&large_list()).await;
    let (_unread, _) = begin_large_answer(serving.address).await;
    serving.signal("TERM");
    until_refused(serving.address).await;
    assert!(serving.is_running(), "it waits for the answer in flight");
    serving.signal("TERM");
    assert_eq!(serving.exit_code().await, Some(1));
}

#[tokio::test]
async fn without_anything_in_flight_it_ends_by_itself() {
    let (_workplace, mut serving) = serve("[]").await;
    serving.signal("TERM");
    assert_eq!(serving.exit_code().await, Some(0));
}

#[tokio::test]
async fn who_is_mute_or_has_begun_a_request_does_not_hold_up_the_end() {
    let (_workplace, mut serving) = serve("[]").await;
    // HTTP/2 that answers neither settings nor pings nor the goodbye, and half a head.
    let mut streams = Vec::new();
    for bytes in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        let mut stream = TcpStream::connect(serving.address).await.expect("a connection");
        stream.write_all(bytes.as_bytes()).await.expect("it reads");
        streams.push(stream);
    }
    // Its settings show that it has read the preface.
    let [mute, half] = &mut streams[..] else { panic!("two connections") };
    mute.read_exact(&mut [0; 9]).await.expect("settings");
    // No answer shows that half a head was read; one on a later connection makes it likely.
    assert_eq!(send(serving.address, Method::GET, "/livez").await.status, 200);
    let started = Instant::now();
    serving.signal("TERM");
    let _ = half.read_to_end(&mut Vec::new()).await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(serving.exit_code().await, Some(0));
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
}

#[tokio::test]
async fn it_outlives_whoever_reads_its_log() {
    let workplace = Workplace::new();
    workplace.write("curated.json", "[]");
    workplace.write("proxy.toml", CONFIGURATION);
    let mut serving = workplace.serve_unheard(&["--config", "proxy.toml"]).await;
    until_ready(serving.address).await;
    // Each of these is told, to nobody.
    for _ in 0..3 {
        serving.signal("HUP");
        assert_eq!(send(serving.address, Method::GET, "/livez").await.status, 200);
    }
    serving.signal("TERM");
    assert_eq!(serving.exit_code().await, Some(0));
}
