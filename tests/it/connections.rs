//! HTTP/1 as it arrives: heads that are slow, broken or too large, bodies that nobody asked for, clients that
//! neither speak nor read. Raw bytes over real sockets, with deadlines of tenths of a second.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::support::entry::{Entry, list};
use crate::support::proxy::{Proxy, Setup, short_deadlines};
use crate::support::stream::{connect, exchange, header, is_ours, read_to_end, status};

const GET: &str = "GET /v0.1/ping HTTP/1.1\r\nHost: a\r\n\r\n";
/// For requests after which the server shall not wait for more.
const CLOSE: &str = "Connection: close\r\n\r\n";

async fn proxy() -> Proxy {
    Setup::new().file("curated", "[]").start_ready().await
}

async fn impatient_proxy(servers: &str) -> Proxy {
    let proxy = Setup::new().file("curated", servers).start_with(short_deadlines()).await;
    proxy.until_ready().await;
    proxy
}

#[tokio::test]
async fn who_does_not_speak_or_does_not_finish_is_cut_off() {
    let proxy = impatient_proxy("[]").await;
    for start in ["", "P", "PRI * HT", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        let started = Instant::now();
        assert_eq!(exchange_or_reset(&proxy, start).await, "", "{start:?}");
        assert!(started.elapsed() < Duration::from_secs(3), "{start:?} {:?}", started.elapsed());
    }
    // One answer, and then nothing.
    let answers = exchange_or_reset(&proxy, GET).await;
    assert!(status(&answers) == 200 && answers.ends_with("{\"pong\":true}\n"), "{answers}");
    proxy.stop().await;
}

/// Where the server cuts off what has begun, the end need not be a good one.
async fn exchange_or_reset(proxy: &Proxy, bytes: &str) -> String {
    let mut stream = connect(proxy.address()).await;
    stream.write_all(bytes.as_bytes()).await.expect("it reads");
    let mut answer = Vec::new();
    let _ = timeout(crate::support::PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end");
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn a_connection_that_has_rested_is_answered_as_before() {
    let proxy = proxy().await;
    let mut stream = connect(proxy.address()).await;
    let rest = Duration::from_millis(400);
    // Whole and in halves, and behind an end of a line that belongs to nothing.
    for parts in [vec![GET], vec![GET], vec![&GET[..9], &GET[9..]], vec![GET, "\r\n"], vec![GET]] {
        for part in parts {
            stream.write_all(part.as_bytes()).await.expect("it reads");
            sleep(rest).await;
        }
        let answer = read_pong(&mut stream).await;
        assert_eq!(status(&answer), 200, "{answer}");
        sleep(rest).await;
    }
    // The end of the process does not wait for who rests.
    let started = Instant::now();
    proxy.stop().await;
    assert_eq!(read_to_end(&mut stream).await, "");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

async fn read_pong(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"{\"pong\":true}\n") {
        let read = timeout(crate::support::PATIENCE, stream.read_buf(&mut answer)).await.expect("an answer in time");
        assert_ne!(read.expect("an answer"), 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn a_head_that_drips_is_cut_off() {
    let proxy = impatient_proxy("[]").await;
    let mut stream = connect(proxy.address()).await;
    let started = Instant::now();
    while stream.write_all(b"G").await.is_ok() {
        assert!(started.elapsed() < Duration::from_secs(3), "it drips on and on");
        sleep(Duration::from_millis(20)).await;
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_off() {
    let text = "x".repeat(200 << 10);
    let entry = |number: u32| Entry::new(&format!("com.example/{number:03}"), "1.0.0").server("note", text.clone());
    let servers = list(&(0..40).map(entry).collect::<Vec<_>>(), None).to_string();
    let proxy = impatient_proxy(&servers).await;
    let mut stream = connect(proxy.address()).await;
    let request = "GET /v0.1/servers?limit=100 HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("it reads");
    sleep(short_deadlines().stall * 4).await;
    let answer = read_to_end_or_reset(&mut stream).await;
    assert!(answer < servers.len(), "{answer} bytes came although nobody read for long");
    proxy.stop().await;
}

async fn read_to_end_or_reset(stream: &mut TcpStream) -> usize {
    use tokio::io::AsyncReadExt as _;
    let mut answer = Vec::new();
    let _ = timeout(crate::support::PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end");
    answer.len()
}

#[tokio::test]
async fn a_hundred_requests_in_one_write_are_answered_in_order() {
    let proxy = proxy().await;
    let targets = ["/v0.1/ping", "/v0.1/health", "/nowhere"];
    let mut requests = String::new();
    for number in 0..100 {
        let last = if number == 99 { "Connection: close\r\n" } else { "" };
        let _ = write!(requests, "GET {} HTTP/1.1\r\nHost: a\r\n{last}\r\n", targets[number % 3]);
    }
    let answers = exchange(proxy.address(), requests).await;
    let statuses: Vec<u16> = answers.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest[..3].parse().ok()).collect();
    assert_eq!(statuses, [200, 200, 404].into_iter().cycle().take(100).collect::<Vec<_>>());
    proxy.stop().await;
}

/// A request line and headers, and the status that answers them.
const REQUESTS: [(&str, &str, u16); 30] = [
    ("GET /v0.1/ping HTTP/1.1", "Host: a\r\n", 200),
    ("GET /v0.1/ping HTTP/1.1", "Host: a.example:8080\r\n", 200),
    ("GET /v0.1/ping HTTP/1.1", "Host: [::1]:8080\r\n", 200),
    ("GET /v0.1/ping HTTP/1.1", "", 400),
    ("GET /v0.1/ping HTTP/1.1", "Host:\r\n", 400),
    ("GET /v0.1/ping HTTP/1.1", "Host: a\r\nHost: a\r\n", 400),
    ("GET /v0.1/ping HTTP/1.1", "Host: a b\r\n", 400),
    ("GET /v0.1/ping HTTP/1.1", "Host: user@a\r\n", 400),
    ("GET /v0.1/ping HTTP/1.1", "Host: a:b\r\n", 400),
    ("GET /v0.1/ping HTTP/1.1", "Host : a\r\n", 400),
    ("GET /v0.1/ping HTTP/1.0", "", 200),
    ("GET /v0.1/ping HTTP/1.0", "Host: a\r\n", 200),
    ("GET http://b.example/v0.1/ping HTTP/1.1", "Host: a\r\n", 200),
    ("GET http://user@b.example/v0.1/ping HTTP/1.1", "Host: a\r\n", 400),
    ("OPTIONS * HTTP/1.1", "Host: a\r\n", 204),
    ("OPTIONS /v0.1/ping HTTP/1.1", "Host: a\r\n", 204),
    ("CONNECT a.example:443 HTTP/1.1", "Host: a\r\n", 405),
    ("GET /v0.1/ping HTTP/1.1", "Host: a\r\nContent-Length: 0\r\n", 200),
    ("GET /v0.1/ping HTTP/1.1", "Host: a\r\nContent-Length: 5\r\n", 400),
    ("HEAD /v0.1/ping HTTP/1.1", "Host: a\r\nContent-Length: 5\r\n", 400),
    ("GET /v0.1/ping HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked\r\n", 400),
    ("OPTIONS /v0.1/ping HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked\r\n", 400),
    ("GET /v0.1/ping HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
    ("GET /v0.1/ping HTTP/1.1", "Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n", 400),
    ("GET /v0.1/ping HTTP/1.1", "Host: a\r\nContent-Length: \r\n", 400),
    ("POST /v0.1/servers HTTP/1.1", "Host: a\r\nContent-Length: 100\r\n", 405),
    ("POST /v0.1/servers HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked\r\n", 405),
    ("POST /v0.1/publish HTTP/1.1", "Host: a\r\nContent-Length: 100\r\nExpect: 100-continue\r\n", 501),
    ("POST /nowhere HTTP/1.1", "Host: a\r\nContent-Length: 100\r\n", 404),
    ("POST /v0.1/ping HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", 405),
];

/// What hyper refuses by itself, since it cannot be read as HTTP. Everything else has the headers of our answers.
const NO_HTTP: [(&str, &str); 3] = [
    ("GET /v0.1/ping HTTP/1.1", "Host : a\r\n"),
    ("GET /v0.1/ping HTTP/1.1", "Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n"),
    ("GET /v0.1/ping HTTP/1.1", "Host: a\r\nContent-Length: \r\n"),
];

#[tokio::test]
async fn what_two_servers_could_read_differently_is_refused_and_the_rest_answered() {
    let proxy = proxy().await;
    for (line, headers, expected) in REQUESTS {
        let answer = exchange(proxy.address(), format!("{line}\r\n{headers}{CLOSE}")).await;
        assert_eq!(status(&answer), expected, "{line}\n{headers}{answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "one request, one answer: {answer}");
        assert_eq!(is_ours(&answer), !NO_HTTP.contains(&(line, headers)), "{line}\n{headers}{answer}");
        assert_eq!(header(&answer, "allow").is_empty(), !matches!(expected, 204 | 405), "{answer}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_body_that_nobody_reads_ends_the_connection_and_nothing_behind_it_is_a_request() {
    let proxy = proxy().await;
    for (line, headers, body) in [
        ("GET /v0.1/ping", "Content-Length: 5\r\n", "hello"),
        ("GET /v0.1/ping", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("POST /v0.1/servers", "Content-Length: 5\r\n", "hello"),
        ("POST /v0.1/servers", "Content-Length: 100\r\n", "hello"),
        ("POST /v0.1/servers", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        ("POST /v0.1/servers", "Transfer-Encoding: chunked\r\n", "nonsense\r\n"),
        ("POST /v0.1/servers", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
        ("POST /v0.1/publish", "Content-Length: 5\r\nExpect: 100-continue\r\n", ""),
    ] {
        let answer = exchange(proxy.address(), format!("{line} HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}{GET}")).await;
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{line} {headers}: {answer}");
        assert!(status(&answer) >= 400 && header(&answer, "connection") == "close", "{line} {headers}: {answer}");
    }
    // Without one it goes on.
    let answers = exchange(proxy.address(), format!("POST /v0.1/servers HTTP/1.1\r\nHost: a\r\n\r\n{}", closing(GET)));
    assert_eq!(answers.await.matches("HTTP/1.1 ").count(), 2);
    proxy.stop().await;
}

fn closing(request: &str) -> String {
    request.replace("\r\n\r\n", &format!("\r\n{CLOSE}"))
}

#[tokio::test]
async fn who_sends_a_large_body_can_read_the_answer_afterwards() {
    let proxy = proxy().await;
    for (target, expected) in [("/v0.1/servers", 405), ("/v0.1/publish", 501)] {
        let mut stream = connect(proxy.address()).await;
        let head = format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 1 << 20);
        stream.write_all(head.as_bytes()).await.expect("it reads");
        for _ in 0..16 {
            stream.write_all(&vec![b'x'; 64 << 10]).await.expect("it reads to the end");
        }
        let answer = read_to_end(&mut stream).await;
        assert_eq!(status(&answer), expected, "{answer}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn what_is_no_http_gets_400() {
    let proxy = proxy().await;
    for bytes in
        ["\u{16}\u{3}\u{1}hello\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/3.0\r\n\r\n"]
    {
        let answer = exchange(proxy.address(), bytes).await;
        assert_eq!(status(&answer), 400, "{bytes:?}: {answer}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn who_has_said_everything_still_gets_the_answer() {
    let proxy = proxy().await;
    for request in [GET, "GET /v0.1/ping HTTP/1.0\r\n\r\n"] {
        let mut stream = connect(proxy.address()).await;
        stream.write_all(request.as_bytes()).await.expect("it reads");
        stream.shutdown().await.expect("a connection");
        assert_eq!(status(&read_to_end(&mut stream).await), 200, "{request}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn http_1_0_keeps_a_connection_only_when_asked_to() {
    let proxy = proxy().await;
    let request = "GET /v0.1/ping HTTP/1.0\r\n";
    let answers = exchange(proxy.address(), format!("{request}\r\n{request}\r\n")).await;
    assert_eq!(answers.matches("HTTP/1.").count(), 1, "{answers}");
    let answers = exchange(proxy.address(), format!("{request}Connection: keep-alive\r\n\r\n{request}\r\n")).await;
    assert_eq!(answers.matches("HTTP/1.").count(), 2, "{answers}");
    proxy.stop().await;
}

#[tokio::test]
async fn an_old_connection_ends_with_its_last_answer_and_slow_ones_do_not_hold_up_the_end() {
    let deadlines = mcp_registry_proxy::serve::Deadlines { age: Duration::from_millis(200), ..Default::default() };
    let proxy = Setup::new().file("curated", "[]").start_with(deadlines).await;
    let answer = exchange(proxy.address(), GET).await;
    assert_eq!(status(&answer), 200, "and then the connection ended, although the client kept it");
    proxy.stop().await;

    let proxy = self::proxy().await;
    let mut silent = connect(proxy.address()).await;
    let mut sniffed = connect(proxy.address()).await;
    sniffed.write_all(b"PRI *").await.expect("it reads");
    let started = Instant::now();
    proxy.stop().await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(read_to_end(&mut silent).await, "");
    drop(sniffed);
}
