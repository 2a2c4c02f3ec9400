//! HTTP/2 without TLS, for clients that know: the same answers, and the same ends for who is silent.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::entry::{Entry, list};
use crate::support::http::{Reply, send_with};
use crate::support::http2::{Client, request};
use crate::support::proxy::{Proxy, Setup, short_deadlines};
use crate::support::stream::connect;
use crate::support::{PATIENCE, check, eventually};

async fn client(proxy: &Proxy) -> Client {
    Client::new(connect(proxy.address()).await).await
}

/// Much more than a client's window holds.
fn large_list() -> String {
    let text = "x".repeat(200 << 10);
    let entry = |number: u32| Entry::new(&format!("com.example/{number:03}"), "1.0.0").server("note", text.clone());
    list(&(0..10).map(entry).collect::<Vec<_>>(), None).to_string()
}

const LARGE: &str = "/v0.1/servers?limit=100";

#[tokio::test]
async fn many_requests_share_a_connection() {
    let proxy = Setup::new().file("curated", "[]").start_ready().await;
    let client = client(&proxy).await;
    let plain = proxy.get("/v0.1/ping").await;
    for reply in futures(&client, 100).await {
        assert_eq!((reply.status, &reply.body), (200, &plain.body));
        assert_eq!(reply.header("content-type"), plain.header("content-type"));
    }
    proxy.stop().await;
}

#[tokio::test]
async fn head_has_the_headers_of_get_over_either_http() {
    let proxy = Setup::new().file("curated", "[]").start_ready().await;
    let client = client(&proxy).await;
    let tag = proxy.get("/v0.1/servers").await.header("etag").to_owned();
    for (target, tag, status) in [
        ("/v0.1/servers", "", 200),
        ("/v0.1/ping", "", 200),
        ("/v0.1/servers", tag.as_str(), 304),
        ("/nowhere", "", 404),
    ] {
        let headers = [("if-none-match", tag)];
        let headers = if tag.is_empty() { &[][..] } else { &headers[..] };
        let over_http2 =
            async |method| client.send(with(request(method, target, ""), headers)).await.expect("an answer");
        let (get, head) = (over_http2(Method::GET).await, over_http2(Method::HEAD).await);
        assert_eq!((get.status, head.status, head.body.len()), (status, status, 0), "{target} over HTTP/2");
        assert_eq!(described(&head), described(&get), "{target} over HTTP/2");
        let [get, head] = [Method::GET, Method::HEAD].map(|method| send_with(proxy.address(), method, target, headers));
        let (get, head) = tokio::join!(get, head);
        assert_eq!((get.status, head.status, head.body.len()), (status, status, 0), "{target} over HTTP/1");
        assert_eq!(described(&head), described(&get), "{target} over HTTP/1");
    }
    proxy.stop().await;
}

/// A request with these headers too.
fn with(mut request: Request<Full<Bytes>>, headers: &[(&'static str, &str)]) -> Request<Full<Bytes>> {
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a value"));
    }
    request
}

/// The headers that say something of the answer, and not of the moment.
fn described(reply: &Reply) -> HeaderMap {
    let mut headers = reply.headers.clone();
    headers.remove("date");
    // Each answer has its own.
    headers.remove("x-request-id");
    headers
}

/// As many requests at a time.
async fn futures(client: &Client, count: usize) -> Vec<Reply> {
    let mut requests: Vec<_> = (0..count).map(|_| Box::pin(client.get("/v0.1/ping"))).collect();
    let mut replies = Vec::new();
    std::future::poll_fn(|context| {
        requests.retain_mut(|request| match request.as_mut().poll(context) {
            std::task::Poll::Ready(reply) => {
                replies.push(reply);
                false
            }
            std::task::Poll::Pending => true,
        });
        if requests.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    replies
}

#[tokio::test]
async fn guards_and_bounds_hold_here_too_and_cost_only_the_request() {
    let proxy = Setup::new().file("curated", "[]").start_ready().await;
    let client = client(&proxy).await;
    let long = format!("/v0.1/ping?{}", "x".repeat(8 << 10));
    let large_head = |length: usize| {
        let mut request = request(Method::GET, "/v0.1/ping", "");
        request.headers_mut().insert("x-long", "x".repeat(length).parse().expect("a value"));
        request
    };
    for (request, expected) in [
        (request(Method::GET, "/v0.1/ping", "hello"), 400),
        (request(Method::POST, "/v0.1/servers", "x".repeat(1 << 20)), 405),
        (request(Method::POST, "/v0.1/publish", "{}"), 501),
        (request(Method::GET, &long, ""), 414),
        (large_head(15 << 10), 200),
        (large_head(17 << 10), 431),
        (request(Method::OPTIONS, "/v0.1/ping", ""), 204),
        (request(Method::GET, "/v0.1/ping", ""), 200),
    ] {
        let shown = format!("{} {:.40}", request.method(), request.uri());
        let reply = client.send(request).await.unwrap_or_else(|error| panic!("{shown}: {error:?}"));
        assert_eq!(reply.status, expected, "{shown}: {}", reply.text());
        assert_eq!(reply.header("connection"), "", "{shown}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_body_that_nobody_wants_is_taken_and_one_that_does_not_come_is_not_waited_for() {
    let proxy = Setup::new().file("curated", "[]").start_ready().await;
    let mut stream = connect(proxy.address()).await;
    let (headers, data, reset) = (0x1, 0x0, 0x3);
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(0x4, 0, 0, b""));
    // `:method: POST`, `:scheme: http`, `:path: /v0.1/servers`, `:authority: a` (RFC 7541)
    let head = [b"\x83\x86\x04\x0d/v0.1/servers\x01\x01a".as_slice()].concat();
    bytes.extend(frame(headers, 0x4, 1, &head));
    stream.write_all(&bytes).await.expect("it reads");
    let started = Instant::now();
    until_frame(&mut stream, |kind, flags, _| kind == data && flags & 1 == 1).await;
    assert!(started.elapsed() < Duration::from_millis(900), "the answer came after {:?}", started.elapsed());
    // It goes on taking the body, and says so by making room for more of it.
    for _ in 0..3 {
        stream.write_all(&frame(data, 0, 1, &[b'x'; 16 << 10])).await.expect("it reads");
    }
    until_frame(&mut stream, |kind, _, id| kind == 0x8 && id == 1).await;
    // And when no more of it comes for long, the stream ends: for nothing (RFC 9113 §8.1).
    until_frame(&mut stream, |kind, _, id| kind == reset && id == 1).await;
    drop(stream);
    proxy.stop().await;
}

/// A frame (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Reads frames up to the one that is wanted, by its type, its flags and its stream.
async fn until_frame(stream: &mut TcpStream, is_wanted: impl Fn(u8, u8, u32) -> bool) {
    let read = async {
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.expect("a frame");
            let [l0, l1, l2, kind, flags, id @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
            stream.read_exact(&mut payload).await.expect("a whole frame");
            if is_wanted(kind, flags, u32::from_be_bytes(id)) {
                return;
            }
        }
    };
    timeout(PATIENCE, read).await.expect("the frame comes in time");
}

#[tokio::test]
async fn who_only_answers_pings_is_sent_away() {
    let proxy = Setup::new().file("curated", "[]").start_with(short_deadlines()).await;
    let started = Instant::now();
    client(&proxy).await.ended().await;
    let client = client(&proxy).await;
    assert_eq!(client.get("/v0.1/ping").await.status, 200);
    client.ended().await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    proxy.stop().await;
}

#[tokio::test]
async fn who_does_not_take_an_answer_is_cut_off() {
    let proxy = Setup::new().file("curated", large_list()).start_with(short_deadlines()).await;
    proxy.until_ready().await;
    let client = client(&proxy).await;
    let answer = client.begin(request(Method::GET, LARGE, "")).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let started = Instant::now();
    client.ended().await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(answer.collect().await.is_err(), "the rest never comes");
    proxy.stop().await;
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_reset_however_busy_the_connection_is() {
    let proxy = Setup::new().file("curated", large_list()).start_with(short_deadlines()).await;
    proxy.until_ready().await;
    // The window of the connection is larger than that of a stream, so that one stalls alone.
    let client = Client::with_windows(connect(proxy.address()).await, 64 << 10, 1 << 20).await;
    let answer = client.begin(request(Method::GET, LARGE, "")).await.expect("an answer");
    let started = Instant::now();
    while started.elapsed() < short_deadlines().stall * 3 {
        assert_eq!(client.get("/v0.1/ping").await.status, 200);
    }
    assert!(answer.collect().await.is_err(), "the rest never comes");
    assert_eq!(client.get("/v0.1/ping").await.status, 200, "the connection lives on");
    proxy.stop().await;
}

#[tokio::test]
async fn at_the_end_answers_in_flight_are_finished() {
    let proxy = Setup::new().file("curated", large_list()).start_ready().await;
    let (idle, busy) = (client(&proxy).await, client(&proxy).await);
    assert_eq!(idle.get("/v0.1/ping").await.status, 200);
    let answer = busy.begin(request(Method::GET, LARGE, "")).await.expect("an answer");
    let length: usize = answer.headers()["content-length"].to_str().expect("text").parse().expect("a number");
    let address = proxy.address();
    let read = async {
        idle.ended().await;
        eventually("the listener closed", async || check(TcpStream::connect(address).await.is_err(), "it accepts"))
            .await;
        answer.collect().await.expect("the whole answer").to_bytes().len()
    };
    let ((), read) = tokio::join!(proxy.stop(), read);
    assert_eq!(read, length);
    busy.ended().await;
}
