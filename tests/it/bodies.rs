//! The bodies of requests, where a route takes one: whole and in parts, over both HTTPs, and every way in which they
//! do not come. Raw bytes over real sockets.

use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::support::PATIENCE;
use crate::support::http2::{Client, request};
use crate::support::proxy::{Proxy, Setup, short_deadlines};
use crate::support::stream::{connect, exchange, header, is_ours, read_to_end, status};

/// The largest body.
const MOST: usize = 1 << 20;
const TARGET: &str = "/v0.1/validate";
const GET: &str = "GET /v0.1/ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

async fn proxy() -> Proxy {
    Setup::new().file("curated", "[]").start_ready().await
}

async fn impatient_proxy() -> Proxy {
    let proxy = Setup::new().file("curated", "[]").start_with(short_deadlines()).await;
    proxy.until_ready().await;
    proxy
}

fn head(headers: &str) -> String {
    format!("POST {TARGET} HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}

/// The statuses of all answers, one hundreds included.
fn statuses(answers: &str) -> Vec<u16> {
    answers.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
}

/// JSON of so many bytes.
fn document(length: usize) -> String {
    let shell = "{\"x\":\"\"}".len();
    format!("{{\"x\":\"{}\"}}", "x".repeat(length - shell))
}

#[tokio::test]
async fn a_body_is_read_and_the_connection_goes_on() {
    let proxy = proxy().await;
    let one = head("Content-Length: 2\r\n") + "{}";
    let answers = exchange(proxy.address(), format!("{one}{one}{GET}")).await;
    assert_eq!(statuses(&answers), [200, 200, 200], "{answers}");
    assert_eq!(answers.matches("\"valid\":false").count(), 2, "{answers}");
    // In parts, and with time between them.
    let mut stream = connect(proxy.address()).await;
    let (start, end) = one.split_at(one.len() - 1);
    stream.write_all(start.as_bytes()).await.expect("it reads");
    sleep(Duration::from_millis(20)).await;
    stream.write_all(end.as_bytes()).await.expect("it reads");
    stream.write_all(GET.as_bytes()).await.expect("it reads");
    assert_eq!(statuses(&read_to_end(&mut stream).await), [200, 200]);
    proxy.stop().await;
}

#[tokio::test]
async fn after_a_body_the_connection_is_idle_and_not_inside_a_head() {
    let deadlines = mcp_registry_proxy::serve::Deadlines { head: Duration::from_millis(50), ..Default::default() };
    let proxy = Setup::new().file("curated", "[]").start_with(deadlines).await;
    let mut stream = connect(proxy.address()).await;
    stream.write_all((head("Content-Length: 2\r\n") + "{}").as_bytes()).await.expect("it reads");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    sleep(Duration::from_millis(150)).await;
    stream.write_all(GET.as_bytes()).await.expect("it reads");
    let rest = read_to_end(&mut stream).await;
    assert_eq!(statuses(&rest), [200], "{rest}");
    proxy.stop().await;
}

#[tokio::test]
async fn behind_chunks_the_connection_ends() {
    let proxy = proxy().await;
    for body in ["2\r\n{}\r\n0\r\n\r\n", "1\r\n{\r\n1;x=y\r\n}\r\n0\r\nTrailer: x\r\n\r\n"] {
        let answers = exchange(proxy.address(), head("Transfer-Encoding: chunked\r\n") + body + GET).await;
        assert_eq!(statuses(&answers), [200], "{answers}");
        assert_eq!(header(&answers, "connection"), "close");
    }
    for body in ["x\r\n", "3\r\n{}\r\n0\r\n\r\n", "FFFFFFFFFFFFFFFF5\r\n{}"] {
        let answers = exchange(proxy.address(), head("Transfer-Encoding: chunked\r\n") + body + GET).await;
        assert_eq!(statuses(&answers), [400], "{body:?}: {answers}");
        assert!(is_ours(&answers), "{answers}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn who_expects_to_be_told_to_go_on_is_told_so_unless_it_is_refused() {
    let proxy = proxy().await;
    let ask = |headers: &str| head(&format!("Expect: 100-continue\r\nConnection: close\r\n{headers}"));
    let mut stream = connect(proxy.address()).await;
    stream.write_all(ask("Content-Length: 2\r\n").as_bytes()).await.expect("it reads");
    let mut told = [0; 25];
    stream.read_exact(&mut told).await.expect("an answer");
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{}").await.expect("it reads");
    assert_eq!(status(&read_to_end(&mut stream).await), 200);
    for (headers, expected) in [
        (format!("Content-Length: {}\r\n", MOST + 1), 413),
        ("Content-Length: 2\r\nContent-Type: text/plain\r\n".to_owned(), 415),
        ("Content-Length: 2\r\nContent-Encoding: gzip\r\n".to_owned(), 415),
    ] {
        let answer = exchange(proxy.address(), ask(&headers)).await;
        assert_eq!(statuses(&answer), [expected], "{answer}");
        assert!(is_ours(&answer) && header(&answer, "connection") == "close", "{answer}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn the_largest_body_is_read_and_a_larger_one_refused_as_soon_as_that_is_known() {
    let proxy = proxy().await;
    for (length, expected) in [(MOST, 200), (MOST + 1, 413)] {
        let body = document(length);
        let sized = format!("Content-Length: {length}\r\nConnection: close\r\n");
        let answer = exchange(proxy.address(), head(&sized) + &body).await;
        assert_eq!(status(&answer), expected, "{answer:.300}");
        let chunked = head("Transfer-Encoding: chunked\r\n") + &format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
        let answer = exchange(proxy.address(), chunked).await;
        assert_eq!(status(&answer), expected, "{answer:.300}");
        let client = Client::new(connect(proxy.address()).await).await;
        let reply = client.send(request(Method::POST, TARGET, body)).await.expect("an answer");
        assert_eq!(reply.status, expected, "{}", reply.text());
        assert_eq!(client.get("/v0.1/ping").await.status, 200, "the connection goes on");
    }
    // Nothing of it need come.
    let started = Instant::now();
    let answer = exchange(proxy.address(), head("Content-Length: 99999999999\r\n")).await;
    assert!(status(&answer) == 413 && started.elapsed() < Duration::from_secs(5), "{answer}");
    assert!(answer.contains("longer than 1048576 bytes"), "{answer}");
    proxy.stop().await;
}

#[tokio::test]
async fn over_http2_bodies_come_beside_other_requests() {
    let proxy = proxy().await;
    let client = Client::new(connect(proxy.address()).await).await;
    let large = document(300 << 10);
    let posts = async {
        for _ in 0..3 {
            let reply = client.send(request(Method::POST, TARGET, large.clone())).await.expect("an answer");
            assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"));
        }
    };
    let gets = async {
        for _ in 0..20 {
            assert_eq!(client.get("/v0.1/ping").await.status, 200);
        }
    };
    tokio::join!(posts, gets);
    for (content_type, expected) in [("application/json", 200), ("text/plain", 415)] {
        let mut request = request(Method::POST, TARGET, "{}");
        request.headers_mut().insert("content-type", content_type.parse().expect("a value"));
        assert_eq!(client.send(request).await.expect("an answer").status, expected);
    }
    assert_eq!(client.send(request(Method::POST, TARGET, "")).await.expect("an answer").status, 400);
    proxy.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_408_and_one_that_breaks_off_400() {
    let proxy = impatient_proxy().await;
    for headers in ["Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"] {
        let started = Instant::now();
        let answer = exchange(proxy.address(), head(headers) + "1").await;
        assert_eq!(status(&answer), 408, "{answer}");
        assert!(is_ours(&answer) && header(&answer, "connection") == "close", "{answer}");
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    }
    // Dripping helps nobody.
    let mut stream = connect(proxy.address()).await;
    stream.write_all(head("Content-Length: 100000\r\n").as_bytes()).await.expect("it reads");
    let started = Instant::now();
    while stream.write_all(b"x").await.is_ok() {
        assert!(started.elapsed() < Duration::from_secs(3), "it drips on and on");
        sleep(Duration::from_millis(10)).await;
    }
    let mut stream = connect(proxy.address()).await;
    stream.write_all((head("Content-Length: 100\r\n") + "{").as_bytes()).await.expect("it reads");
    stream.shutdown().await.expect("a connection");
    assert_eq!(status(&read_to_end(&mut stream).await), 400);
    proxy.stop().await;
}

#[tokio::test]
async fn a_stream_whose_body_does_not_come_is_408_and_the_others_go_on() {
    let deadlines = mcp_registry_proxy::serve::Deadlines { body: Duration::from_millis(100), ..Default::default() };
    let proxy = Setup::new().file("curated", "[]").start_with(deadlines).await;
    let mut stream = connect(proxy.address()).await;
    // `:method: POST`, `:scheme: http`, `:path: /v0.1/validate`, `:authority: a` (RFC 7541), and no end of the stream.
    let head = [b"\x83\x86\x04\x0e/v0.1/validate\x01\x01a".as_slice()].concat();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    bytes.extend([0, 0, u8::try_from(head.len()).expect("a short head"), 1, 4, 0, 0, 0, 1]);
    bytes.extend(head);
    stream.write_all(&bytes).await.expect("it reads");
    let answer = until(&mut stream, b"\"status\":408").await;
    assert!(answer, "the answer came");
    proxy.stop().await;
}

/// Reads until something has come.
async fn until(stream: &mut TcpStream, wanted: &[u8]) -> bool {
    let mut bytes = Vec::new();
    let read = async {
        while stream.read_buf(&mut bytes).await.is_ok_and(|count| count > 0) {
            if bytes.windows(wanted.len()).any(|window| window == wanted) {
                return true;
            }
        }
        false
    };
    timeout(PATIENCE, read).await.expect("it comes in time")
}

#[tokio::test]
async fn who_posts_slowly_takes_neither_memory_nor_turns_from_others() {
    // Two requests at a time, and room for a handful of bodies.
    let limits = "[limits]\nrequests = 2\nmax_sending_size = \"1MiB\"";
    let proxy = Setup::new().settings(limits).file("curated", "[]").start_ready().await;
    let mut slow = Vec::new();
    let started = head(&format!("Content-Length: {MOST}\r\n")) + &"x".repeat(600 << 10);
    for _ in 0..20 {
        let mut stream = connect(proxy.address()).await;
        stream.write_all(started.as_bytes()).await.expect("it reads");
        slow.push(stream);
    }
    // As many as have no room are told so, and the others wait.
    let mut refused = 0;
    for stream in &mut slow {
        let mut answer = [0; 12];
        if timeout(Duration::from_millis(100), stream.read_exact(&mut answer)).await.is_ok() {
            assert_eq!(&answer, b"HTTP/1.1 503");
            refused += 1;
        }
    }
    assert!((17..20).contains(&refused), "{refused} of 20");
    assert_eq!(proxy.get("/v0.1/servers").await.status, 200, "who reads is answered");
    drop(slow);
    crate::support::eventually("there was room again", async || {
        let reply = crate::support::http::post(proxy.address(), TARGET, &[], "{}").await;
        crate::support::check(reply.status == 200, reply.status)
    })
    .await;
    proxy.stop().await;
}
