//! Requests that two servers could see an end of in different places: each gets one answer, a refusal, and the end of
//! its connection, so that nothing behind it is ever taken for a request.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::support::PATIENCE;
use crate::support::proxy::Setup;
use crate::support::stream::{connect, status};

/// What stands behind each of them, as if it were part of it or not.
const BEHIND: &str = "GET /v0.1/health HTTP/1.1\r\nHost: a\r\n\r\n";

/// What is sent; `~` is the end of a line.
const SHAPES: [&str; 48] = [
    // Both lengths.
    "GET /v0.1/ping HTTP/1.1~Host: a~Transfer-Encoding: chunked~Content-Length: 5~~0~~",
    "GET /v0.1/ping HTTP/1.1~Host: a~Content-Length: 5~Transfer-Encoding: chunked~~0~~",
    "POST /v0.1/servers HTTP/1.1~Host: a~Content-Length: 5~Transfer-Encoding: chunked~~0~~",
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding: chunked~Content-Length: 50~~0~~",
    // Lengths that differ, or are none.
    "GET /v0.1/ping HTTP/1.1~Host: a~Content-Length: 5~Content-Length: 6~~hello",
    "GET /v0.1/ping HTTP/1.1~Host: a~Content-Length: 0~Content-Length: 5~~hello",
    "GET /v0.1/ping HTTP/1.1~Host: a~Content-Length: 5~Content-Length: 5~~hello",
    "GET /v0.1/ping HTTP/1.1~Host: a~Content-Length: 5, 6~~hello",
    "GET /v0.1/ping HTTP/1.1~Host: a~Content-Length: 5, 5~~hello",
    "POST /v0.1/servers HTTP/1.1~Host: a~Content-Length: 5, 6~~hello",
    "POST /v0.1/servers HTTP/1.1~Host: a~Content-Length: 5~Content-Length: 6~~hello",
    "POST /v0.1/servers HTTP/1.1~Host: a~Content-Length: 0x5~~hello",
    "POST /v0.1/servers HTTP/1.1~Host: a~Content-Length: +5~~hello",
    "POST /v0.1/servers HTTP/1.1~Host: a~Content-Length: -5~~hello",
    "POST /v0.1/servers HTTP/1.1~Host: a~Content-Length: 5 5~~hello",
    "POST /v0.1/servers HTTP/1.1~Host: a~Content-Length: 5e0~~hello",
    "POST /v0.1/servers HTTP/1.1~Host: a~Content-Length: \"5\"~~hello",
    "POST /v0.1/servers HTTP/1.1~Host: a~Content-Length: 18446744073709551621~~hello",
    "POST /v0.1/servers HTTP/1.1~Host: a~Content-Length: ~~hello",
    "POST /v0.1/servers HTTP/1.1~Host: a~Content-Length: 5\0~~hello",
    // Codings that are not the last, not known, or not spelled right.
    "GET /v0.1/ping HTTP/1.1~Host: a~Transfer-Encoding: xchunked~~0~~",
    "GET /v0.1/ping HTTP/1.1~Host: a~Transfer-Encoding: identity~~",
    "GET /v0.1/ping HTTP/1.1~Host: a~Transfer-Encoding: chunked, identity~~0~~",
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding: chunked, identity~~0~~",
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding: chunked~Transfer-Encoding: identity~~0~~",
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding: xchunked~~0~~",
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding: \u{b}chunked~~0~~",
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding: \"chunked\"~~0~~",
    "GET /v0.1/ping HTTP/1.0~Host: a~Transfer-Encoding: chunked~~0~~",
    // Spaces and lines where none belong.
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding : chunked~~0~~",
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding\t: chunked~~0~~",
    "POST /v0.1/servers HTTP/1.1~Host: a~Content-Length : 5~~hello",
    "GET /v0.1/ping HTTP/1.1~ Transfer-Encoding: chunked~Host: a~~0~~",
    "GET /v0.1/ping HTTP/1.1~Host: a~X-Folded: x~ Transfer-Encoding: chunked~~0~~",
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding:~ chunked~~0~~",
    "GET /v0.1/ping HTTP/1.1~Host: a~X-Bare: x\rTransfer-Encoding: chunked~~0~~",
    "GET /v0.1/ping HTTP/1.1~Host: a\r~~",
    "GET /v0.1/ping\0 HTTP/1.1~Host: a~~",
    "GET /v0.1/ping HTTP/1.1~Host: a~: x~~",
    "GET /v0.1/ping HTTP/1.1 ~Host: a~~",
    // Bad chunks.
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding: chunked~~xyz~hello~0~~",
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding: chunked~~0x5~hello~0~~",
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding: chunked~~-5~hello~0~~",
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding: chunked~~FFFFFFFFFFFFFFFF5~hello~0~~",
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding: chunked~~5;\rx=y~hello~0~~",
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding: chunked~~5\nhello\n0\n\n",
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding: chunked~~5~helloworld~0~~",
    "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding: chunked~~0~Content-Length: 50~~",
];

#[tokio::test]
async fn c11_smuggling_shapes() {
    let proxy = Setup::new().file("curated", "[]").start_ready().await;
    let mut wrong = Vec::new();
    for shape in SHAPES {
        let mut stream = connect(proxy.address()).await;
        let bytes = shape.replace('~', "\r\n") + BEHIND;
        stream.write_all(bytes.as_bytes()).await.expect("it reads");
        let mut answer = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection ends");
        let answer = String::from_utf8(answer).expect("text");
        let is_refused = read.is_ok() && (400..500).contains(&status(&answer));
        if !is_refused || answer.matches("HTTP/1.").count() != 1 {
            wrong.push(format!("{shape:?}: {read:?} {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(proxy.get("/v0.1/ping").await.status, 200);
    proxy.stop().await;
}

/// A bare LF ends a line for some (RFC 9112 §2.2 allows that) and not for others: what one takes for the value of a
/// header, the other takes for the next request.
#[tokio::test]
async fn c11_bare_line_feeds() {
    let proxy = Setup::new().file("curated", "[]").start_ready().await;
    for shape in [
        "GET /v0.1/ping HTTP/1.1\nHost: a\n\n",
        "GET /v0.1/ping HTTP/1.1\r\nHost: a\n\r\n",
        "GET /v0.1/ping HTTP/1.1\r\nHost: a\r\n\n",
        "GET /v0.1/ping HTTP/1.1\r\nHost: a\r\nX-Bare: x\n\n",
        "GET /v0.1/ping HTTP/1.1\r\nHost: a\r\nX-Bare: x\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "\nGET /v0.1/ping HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let mut stream = connect(proxy.address()).await;
        stream.write_all((shape.to_owned() + BEHIND).as_bytes()).await.expect("it reads");
        let mut answer = Vec::new();
        let read = timeout(Duration::from_secs(3), stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8(answer).expect("text");
        read.unwrap_or_else(|_| panic!("{shape:?}: it goes on: {answer}")).expect("a good end");
        assert_eq!((status(&answer), answer.matches("HTTP/1.").count()), (400, 1), "{shape:?}: {answer}");
    }
    assert_eq!(proxy.get("/v0.1/ping").await.status, 200);
    proxy.stop().await;
}
