//! HTTP/1 in every shape that servers are known to get wrong: the 33 checks of h1spec, as a table.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use crate::support::proxy::Setup;
use crate::support::stream::{connect, read_to_end, status};

/// Long enough for what was sent to be read, so that the rest comes by itself.
const BETWEEN_FRAGMENTS: Duration = Duration::from_millis(3);

/// What is sent, and the status that answers it. `~` is the end of a line, `|` the end of a fragment.
const CHECKS: [(&str, &str, u16); 33] = [
    ("fragmented method", "G|ET /v0.1/ping HTTP/1.1~Host: a~Connection: close~~", 200),
    ("fragmented target, before it", "GET |/v0.1/ping HTTP/1.1~Host: a~Connection: close~~", 200),
    ("fragmented target, in it", "GET /v0.1|/ping HTTP/1.1~Host: a~Connection: close~~", 200),
    ("fragmented target, after it", "GET /v0.1/ping |HTTP/1.1~Host: a~Connection: close~~", 200),
    ("fragmented version", "GET /v0.1/ping HTTP/|1.1~Host: a~Connection: close~~", 200),
    ("fragmented request line", "GET /v0.1/ping HTTP/1.1|~Host: a~Connection: close~~", 200),
    ("fragmented line end", "GET /v0.1/ping HTTP/1.1\r|\nHost: a~Connection: close~~", 200),
    ("fragmented after the line", "GET /v0.1/ping HTTP/1.1~|Host: a~Connection: close~~", 200),
    ("fragmented field name", "GET /v0.1/ping HTTP/1.1~Ho|st: a~Connection: close~~", 200),
    ("fragmented after the field name", "GET /v0.1/ping HTTP/1.1~Host|: a~Connection: close~~", 200),
    ("fragmented after the colon", "GET /v0.1/ping HTTP/1.1~Host:| a~Connection: close~~", 200),
    ("fragmented field value", "GET /v0.1/ping HTTP/1.1~Host: |a~Connection: clo|se~~", 200),
    ("fragmented after the field value", "GET /v0.1/ping HTTP/1.1~Host: a|~Connection: close~~", 200),
    ("fragmented after the fields", "GET /v0.1/ping HTTP/1.1~Host: a~Connection: close~|~", 200),
    ("fragmented last line end", "GET /v0.1/ping HTTP/1.1~Host: a~Connection: close~\r|\n", 200),
    ("no version", "GET /v0.1/ping~Host: a~~", 400),
    ("expectation", "GET /v0.1/ping HTTP/1.1~Host: a~Expect: 100-continue~Connection: close~~", 200),
    ("plain request", "GET /v0.1/ping HTTP/1.1~Host: a~Connection: close~~", 200),
    ("odd spaces and letter case", "GET /v0.1/ping HTTP/1.1~hoSt:\ta  ~CONNECTION:close\t~~", 200),
    ("brackets in a field name", "GET /v0.1/ping HTTP/1.1~Host: a~Bad[]name: x~~", 400),
    ("no host", "GET /v0.1/ping HTTP/1.1~Connection: close~~", 400),
    ("two hosts", "GET /v0.1/ping HTTP/1.1~Host: a~Host: b~Connection: close~~", 400),
    ("very negative length", "GET /v0.1/ping HTTP/1.1~Host: a~Content-Length: -123456789123456789123456789~~", 400),
    ("negative length", "GET /v0.1/ping HTTP/1.1~Host: a~Content-Length: -1234~~", 400),
    ("length in letters", "GET /v0.1/ping HTTP/1.1~Host: a~Content-Length: abc~~", 400),
    ("empty value", "GET /v0.1/ping HTTP/1.1~Host: a~X-Empty: ~Connection: close~~", 200),
    ("control character in a value", "GET /v0.1/ping HTTP/1.1~Host: a~X-Bad: \u{1}~~", 400),
    ("unknown version", "GET /v0.1/ping HTTP/9.9~Host: a~~", 400),
    ("something before the request", "Hello GET /v0.1/ping HTTP/1.1~Host: a~~", 400),
    ("bare CR", "GET /v0.1/ping HTTP/1.1~Host: a~\rX-Bad: x~~", 400),
    ("request with a body", "POST /v0.1/servers HTTP/1.1~Host: a~Content-Length: 5~Connection: close~~hello", 405),
    (
        "body in chunks",
        "POST /v0.1/servers HTTP/1.1~Host: a~Transfer-Encoding: chunked~Connection: close~~5~hello~0~~",
        405,
    ),
    (
        "two framings",
        "GET /v0.1/ping HTTP/1.1~Host: a~Transfer-Encoding: chunked~Content-Length: 5~Connection: close~~0~~",
        400,
    ),
];

#[tokio::test]
async fn c01_thirty_three_shapes_of_http_1() {
    let proxy = Setup::new().file("curated", "[]").start_ready().await;
    for (name, request, expected) in CHECKS {
        let mut stream = connect(proxy.address()).await;
        stream.set_nodelay(true).expect("a connection");
        let request = request.replace('~', "\r\n");
        let mut fragments = request.split('|').peekable();
        while let Some(fragment) = fragments.next() {
            stream.write_all(fragment.as_bytes()).await.expect("it reads");
            if fragments.peek().is_some() {
                sleep(BETWEEN_FRAGMENTS).await;
                let early = stream.try_read(&mut [0]);
                assert!(early.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "{name}: too early");
            }
        }
        let answer = read_to_end(&mut stream).await;
        assert_eq!(status(&answer), expected, "{name}: {answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{name}: {answer}");
    }
    assert_eq!(proxy.get("/v0.1/ping").await.status, 200);
    proxy.stop().await;
}
