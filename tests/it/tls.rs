//! TLS on the public listener: both HTTPs under it, renewal without a restart, silence, and the end.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::support::binary::Workplace;
use crate::support::http2::{Client, request};
use crate::support::proxy::{Proxy, Setup, short_deadlines};
use crate::support::stream::{connect, read_to_end, status};
use crate::support::tls::{Certificate, SETTINGS};
use crate::support::{PATIENCE, check, eventually};

const GET: &str = "GET /v0.1/ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// One after which the connection goes on.
const KEEPS: &str = "GET /v0.1/ping HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn setup(certificate: &Certificate) -> Setup {
    let setup = Setup::new().settings(SETTINGS).file("curated", "[]");
    certificate.write(setup.path("").as_path());
    setup
}

async fn start() -> (Certificate, Proxy) {
    let certificate = Certificate::new();
    let proxy = setup(&certificate).start().await;
    (certificate, proxy)
}

#[tokio::test]
async fn client_and_server_agree_on_a_protocol() {
    let (certificate, proxy) = start().await;
    for offered in [&["h2", "http/1.1"][..], &["h2"]] {
        let stream = certificate.connect(proxy.address(), offered).await.expect("a handshake");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        assert_eq!(Client::new(stream).await.get("/v0.1/ping").await.status, 200);
    }
    for offered in [&["http/1.1"][..], &[]] {
        let mut stream = certificate.connect(proxy.address(), offered).await.expect("a handshake");
        stream.write_all(GET.as_bytes()).await.expect("it reads");
        let answer = read_to_end(&mut stream).await;
        assert!(status(&answer) == 200 && answer.ends_with("{\"pong\":true}\n"), "{answer}");
    }
    assert!(certificate.connect(proxy.address(), &["spdy/3"]).await.is_err());
    proxy.stop().await;
}

#[tokio::test]
async fn a_connection_that_has_rested_is_answered_as_before() {
    let (certificate, proxy) = start().await;
    let mut stream = certificate.connect(proxy.address(), &["http/1.1"]).await.expect("a handshake");
    for _ in 0..3 {
        sleep(Duration::from_millis(400)).await;
        stream.write_all(KEEPS.as_bytes()).await.expect("it reads");
        sleep(Duration::from_millis(400)).await;
    }
    // The end comes to who rests too, and as it should under TLS.
    let (answers, ()) = tokio::join!(read_to_end(&mut stream), proxy.stop());
    assert_eq!(answers.matches("{\"pong\":true}\n").count(), 3, "{answers}");
}

#[tokio::test]
async fn a_large_body_is_answered_and_the_answer_arrives() {
    let (certificate, proxy) = start().await;
    let mut stream = certificate.connect(proxy.address(), &["http/1.1"]).await.expect("a handshake");
    let head = format!("POST /v0.1/servers HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 1 << 20);
    stream.write_all(head.as_bytes()).await.expect("it reads");
    stream.write_all(&vec![b'x'; 1 << 20]).await.expect("it reads to the end");
    assert_eq!(status(&read_to_end(&mut stream).await), 405);
    proxy.stop().await;
}

#[tokio::test]
async fn a_body_that_is_wanted_is_read_over_both_http() {
    let (certificate, proxy) = start().await;
    let body = format!("{{\"x\":\"{}\"}}", "x".repeat(500 << 10));
    let mut stream = certificate.connect(proxy.address(), &["http/1.1"]).await.expect("a handshake");
    let head = "POST /v0/validate HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length";
    stream.write_all(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes()).await.expect("it reads");
    assert_eq!(status(&read_to_end(&mut stream).await), 200);
    let client = Client::new(certificate.connect(proxy.address(), &["h2"]).await.expect("a handshake")).await;
    let reply = client.send(request(http::Method::POST, "/v0/validate", body)).await.expect("an answer");
    assert_eq!(reply.status, 200);
    proxy.stop().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_and_a_broken_one_is_not() {
    let (old, proxy) = start().await;
    let mut kept = old.connect(proxy.address(), &["http/1.1"]).await.expect("a handshake");
    let renewed = Certificate::new();
    std::fs::write(proxy.directory().join("chain.pem"), &renewed.chain).expect("a writable directory");
    // The key does not fit yet; whether or not that has been looked at, the old pair counts.
    old.connect(proxy.address(), &[]).await.expect("the old certificate");
    renewed.write(proxy.directory());
    eventually("the renewed certificate was shown", async || {
        let shown = renewed.connect(proxy.address(), &[]).await;
        check(shown.is_ok(), shown.map(|_| ()))
    })
    .await;
    assert!(old.connect(proxy.address(), &[]).await.is_err(), "the old one is shown no more");
    kept.write_all(GET.as_bytes()).await.expect("connections stay");
    assert_eq!(status(&read_to_end(&mut kept).await), 200);
    proxy.stop().await;
}

#[tokio::test]
async fn who_does_not_finish_a_handshake_or_speaks_no_tls_is_cut_off() {
    let certificate = Certificate::new();
    let proxy = setup(&certificate).start_with(short_deadlines()).await;
    let started = Instant::now();
    for start in [&b""[..], b"\x16\x03\x01\x02\x00\x01", GET.as_bytes()] {
        let mut stream = connect(proxy.address()).await;
        stream.write_all(start).await.expect("it reads");
        let read = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
        let _ = read.expect("the connection ends in time");
    }
    for offered in ["h2", "http/1.1"] {
        let mut silent = certificate.connect(proxy.address(), &[offered]).await.expect("a handshake");
        let read = timeout(PATIENCE, silent.read_to_end(&mut Vec::new())).await;
        let _ = read.expect("the connection ends in time");
    }
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    proxy.stop().await;
}

#[tokio::test]
async fn the_end_does_not_wait_for_handshakes_or_idle_connections() {
    let (certificate, proxy) = start().await;
    let _silent = connect(proxy.address()).await;
    let _idle = certificate.connect(proxy.address(), &["http/1.1"]).await.expect("a handshake");
    let client = Client::new(certificate.connect(proxy.address(), &["h2"]).await.expect("a handshake")).await;
    assert_eq!(client.get("/v0.1/ping").await.status, 200);
    let started = Instant::now();
    let ((), ()) = tokio::join!(proxy.stop(), client.ended());
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

fn configuration(listen: &str) -> String {
    let server = SETTINGS.replace("[server]", &format!("[server]\nlisten = \"{listen}\""));
    format!("{server}\n[log]\nformat = \"json\"\n[[registries]]\nname = \"curated\"\nfile = \"curated.json\"\n")
}

#[tokio::test]
async fn healthcheck_asks_under_tls_whatever_has_become_of_the_files() {
    let workplace = Workplace::new();
    let certificate = Certificate::new();
    workplace.write("curated.json", "[]");
    let key = workplace.write("key.pem", &certificate.key);
    workplace.write("chain.pem", &certificate.chain);
    workplace.write("proxy.toml", configuration("127.0.0.1:0"));
    let serving = workplace.serve(&["--config", "proxy.toml"]).await;
    workplace.write("health.toml", configuration(&serving.address.to_string()));
    let finished = workplace.run(&["healthcheck", "--config", "health.toml"]).await;
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
    std::fs::remove_file(key).expect("it is there");
    let finished = workplace.run(&["healthcheck", "--config", "health.toml"]).await;
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
    TcpStream::connect(serving.address).await.expect("it still listens");
    drop(serving);
    let finished = workplace.run(&["healthcheck", "--config", "health.toml"]).await;
    assert_eq!(finished.code(), Some(1), "nobody listens");
    assert!(finished.stderr().contains("https://127.0.0.1:"), "{}", finished.stderr());
}

#[tokio::test]
async fn files_that_cannot_be_used_are_a_bad_configuration() {
    let workplace = Workplace::new();
    let (one, other) = (Certificate::new(), Certificate::new());
    workplace.write("curated.json", "[]");
    workplace.write("proxy.toml", configuration("127.0.0.1:0"));
    for (chain, key, parts) in [
        (None, None, ["`server.tls_certificate_file`", "chain.pem", "cannot be read"]),
        (Some(&one.chain), None, ["`server.tls_key_file`", "key.pem", "cannot be read"]),
        (Some(&one.chain), Some(&other.key), ["`server.tls_key_file`", "key.pem", "is not the key of"]),
        (Some(&one.key), Some(&one.key), ["`server.tls_certificate_file`", "chain.pem", "holds no PEM certificate"]),
    ] {
        for (name, content) in [("chain.pem", chain), ("key.pem", key)] {
            if let Some(content) = content {
                workplace.write(name, content);
            }
        }
        let finished = workplace.run(&["serve", "--config", "proxy.toml"]).await;
        let error = finished.stderr();
        assert_eq!(finished.code(), Some(64), "{error}");
        assert!(error.contains("proxy.toml") && parts.iter().all(|part| error.contains(part)), "{error}");
    }
}
