//! What strangers claim to be: another address, another host, an older protocol, an id of their own.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::support::PATIENCE;
use crate::support::proxy::Setup;
use crate::support::stream::{connect, exchange, status};
use crate::support::tls::{Certificate, SETTINGS};

#[tokio::test]
async fn c27_addresses_that_are_claimed() {
    let settings = "[limits]\nconnections_per_address = 2";
    let proxy = Setup::new().settings(settings).file("curated", "[]").start_ready().await;
    let plain = proxy.get("/v0.1/servers").await;
    let claims = [
        ("x-forwarded-for", "192.0.2.1"),
        ("forwarded", "for=192.0.2.1;proto=https"),
        ("x-real-ip", "192.0.2.1"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
    ];
    let claimed = proxy.get_with("/v0.1/servers", &claims).await;
    assert_eq!((claimed.status, &claimed.body), (200, &plain.body));
    let text = format!("{:?}", claimed.headers);
    assert!(!text.contains("192.0.2.1") && !text.contains("evil.example"), "{text}");
    // The connections count for who opened them, whatever they say.
    let mut held = Vec::new();
    for number in 0..2 {
        let mut stream = connect(proxy.address()).await;
        let request = format!("GET /v0.1/ping HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.{number}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        stream.read_exact(&mut [0; 15]).await.expect("an answer");
        held.push(stream);
    }
    let mut third = connect(proxy.address()).await;
    let _ = third.write_all(b"GET /v0.1/ping HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n").await;
    let read = timeout(PATIENCE, third.read(&mut [0])).await.expect("it is closed");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    drop((held, third));
    proxy.stop().await;
}

#[tokio::test]
async fn c27_nobody_speaks_for_others_before_the_first_request() {
    let proxy = Setup::new().file("curated", "[]").start_ready().await;
    let request = "GET /v0.1/ping HTTP/1.1\r\nHost: a\r\n\r\n";
    for claim in ["PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0cabcdefghijkl"] {
        let answer = exchange(proxy.address(), format!("{claim}{request}")).await;
        assert_eq!((status(&answer), answer.matches("HTTP/1.").count()), (400, 1), "{claim:?}: {answer}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn c29_tls_of_yesterday_and_names_of_others() {
    let certificate = Certificate::new();
    let setup = Setup::new().settings(SETTINGS).file("curated", "[]");
    certificate.write(setup.path("").as_path());
    let proxy = setup.start().await;

    // TLS 1.0 with a suite of its time.
    let hello = [&[1, 0, 0, 43, 3, 1][..], &[7; 32], &[0, 0, 4, 0, 0x2f, 0xc0, 0x14, 1, 0]].concat();
    let length = u16::try_from(hello.len()).expect("a short hello").to_be_bytes();
    let mut stream = connect(proxy.address()).await;
    stream.write_all(&[&[22, 3, 1][..], &length, &hello].concat()).await.expect("it reads");
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection ends");
    // An alert that is fatal.
    assert!(matches!(answer[..], [21, 3, _, 0, 2, 2, _]), "{answer:?}");

    // Another name gets the one certificate that there is, and the client sees that it is not for that name.
    let mut roots = rustls::RootCertStore::empty();
    let trusted = rustls::pki_types::CertificateDer::from_pem_slice(certificate.chain.as_bytes()).expect("PEM");
    roots.add(trusted).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("other.example").expect("a name");
    let stream = connect(proxy.address()).await;
    let error = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect_err("it is not for that name");
    assert!(error.to_string().contains("not valid for name"), "{error}");

    certificate.connect(proxy.address(), &["http/1.1"]).await.expect("a handshake");
    proxy.stop().await;
}

#[tokio::test]
async fn c30_ids_of_requests() {
    let proxy = Setup::new().file("curated", "[]").start_ready().await;
    let plain = proxy.get("/v0.1/servers").await;
    let long = "x".repeat(10_000);
    for id in ["abc-123", "\u{1b}[31mred", "a\u{9}b", "<script>alert(1)</script>", "{\"level\":\"ERROR\"}", &long] {
        for name in ["X-Request-Id", "X-Correlation-Id", "Traceparent"] {
            let request = format!("GET /v0.1/servers HTTP/1.1\r\nHost: a\r\n{name}: {id}\r\nConnection: close\r\n\r\n");
            let answer = exchange(proxy.address(), request).await;
            // One that can be written anywhere comes back, and is all that does.
            let comes_back = name == "X-Request-Id" && id == "abc-123";
            assert_eq!(answer.contains(id), comes_back, "{name}: {id:.40}: {answer}");
            // A control character makes it no header.
            let expected = if id.contains('\u{1b}') { 400 } else { 200 };
            assert_eq!(status(&answer), expected, "{name}: {id:.40}: {answer}");
            assert!(expected == 400 || answer.ends_with(plain.text()), "{name}: {id:.40}: {answer}");
        }
    }
    proxy.stop().await;
}
