//! Clients that are slow, on purpose: they cost a connection each, and not for long.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::Victim;
use super::crowds::raise_open_files;
use crate::support::PATIENCE;
use crate::support::entry::{Entry, list};
use crate::support::proxy::{Proxy, Setup, short_deadlines};
use crate::support::stream::{connect, read_to_end, status};

const HEAD: &[u8] = b"GET /v0.1/ping HTTP/1.1\r\nHost: a\r\nX-Slow: ";

/// Sends something at once and then a byte at a time, until the server ends the connection.
async fn drip(address: SocketAddr, start: &'static [u8], interval: Option<Duration>) -> Duration {
    let mut stream = connect(address).await;
    let started = Instant::now();
    let _ = stream.write_all(start).await;
    let (mut reader, mut writer) = stream.into_split();
    let ended = async { drop(reader.read_to_end(&mut Vec::new()).await) };
    let dripping = async {
        let Some(interval) = interval else { return std::future::pending().await };
        loop {
            sleep(interval).await;
            if writer.write_all(b"x").await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = ended => {}
        () = dripping => {}
    }
    started.elapsed()
}

/// So many at a time; how long the last one lived.
async fn crowd(count: usize, address: SocketAddr, start: &'static [u8], interval: Option<Duration>) -> Duration {
    let mut clients = JoinSet::new();
    for _ in 0..count {
        clients.spawn(drip(address, start, interval));
    }
    clients.join_all().await.into_iter().max().unwrap_or_default()
}

async fn impatient_proxy(servers: &str) -> Proxy {
    Setup::new().file("curated", servers).start_with(short_deadlines()).await
}

/// With deadlines of 200 ms. Everything is in this process, hence the margin.
async fn are_cut_off(starts: &[&'static [u8]], interval: Option<Duration>) {
    let proxy = impatient_proxy("[]").await;
    proxy.until_ready().await;
    for start in starts {
        let abuse = crowd(200, proxy.address(), start, interval);
        let (lived, quick) = tokio::join!(abuse, async { proxy.get("/v0.1/ping").await.status });
        assert!(lived < Duration::from_secs(3), "{start:?}: {lived:?}");
        assert_eq!(quick, 200);
        assert_eq!(proxy.get("/v0.1/ping").await.status, 200);
    }
    proxy.stop().await;
}

#[tokio::test]
async fn c03_heads_that_drip() {
    are_cut_off(&[HEAD], Some(Duration::from_millis(20))).await;
}

#[tokio::test]
async fn c04_silence() {
    are_cut_off(&[b"", b"PRI * HTTP/2.0\r\n\r\nSM"], None).await;
}

#[tokio::test]
#[ignore = "takes 20 s: with the deadlines of the real thing"]
async fn c03_c04_thousands_that_drip_or_are_silent() {
    raise_open_files();
    let mut victim = Victim::start().await;
    let address = victim.serving.address;
    for (start, interval, most) in
        [(HEAD, Some(Duration::from_secs(5)), 16), (b"", None, 7), (b"PRI * HTTP/2.0\r\n\r\nSM", None, 7)]
    {
        let lived = victim.while_abused(crowd(1_000, address, start, interval)).await;
        assert!(lived < Duration::from_secs(most), "{start:?}: {lived:?}");
        victim.recovers(32 << 20).await;
    }
}

/// A byte a second of much more than sockets hold. Returns how long each was borne with.
async fn read_slowly(count: usize, address: SocketAddr) -> Duration {
    let mut clients = JoinSet::new();
    for _ in 0..count {
        clients.spawn(async move {
            let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
            socket.set_recv_buffer_size(4 << 10).expect("a small buffer");
            let mut stream: TcpStream = socket.connect(address).await.expect("a connection");
            let request = b"GET /v0.1/servers?limit=100 HTTP/1.1\r\nHost: a\r\n\r\n";
            stream.write_all(request).await.expect("it reads");
            let started = Instant::now();
            // It notices the end only where it writes: what the kernel has for it, it takes for minutes.
            loop {
                sleep(Duration::from_secs(1)).await;
                let read = timeout(PATIENCE, stream.read(&mut [0])).await;
                if !matches!(read, Ok(Ok(1))) || stream.write_all(b"\r\n").await.is_err() {
                    return started.elapsed();
                }
            }
        });
    }
    clients.join_all().await.into_iter().max().unwrap_or_default()
}

#[tokio::test]
#[ignore = "takes 40 s: with the deadlines of the real thing"]
async fn c05_two_hundred_that_read_a_byte_a_second() {
    let text = "x".repeat(60 << 10);
    let entry = |number: u32| Entry::new(&format!("com.example/{number:03}"), "1.0.0").server("note", text.clone());
    let servers = list(&(0..30).map(entry).collect::<Vec<_>>(), None).to_string();
    let mut victim = Victim::start_with("", &servers).await;
    let lived = read_slowly(200, victim.serving.address).await;
    assert!(lived < Duration::from_secs(45), "{lived:?}");
    victim.recovers(64 << 20).await;
}

#[tokio::test]
async fn c06_bodies_that_do_not_come() {
    let proxy = impatient_proxy("[]").await;
    for (head, expected) in [
        ("POST /v0.1/servers HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n", 405),
        ("POST /v0.1/servers HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 405),
        ("GET /v0.1/ping HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n", 400),
    ] {
        let mut stream = connect(proxy.address()).await;
        stream.write_all(head.as_bytes()).await.expect("it reads");
        let started = Instant::now();
        let answer = read_to_end(&mut stream).await;
        assert!(status(&answer) == expected && started.elapsed() < Duration::from_secs(1), "{answer}");
        // The answer came at once; what drips behind it is read for a while and no longer.
        while stream.write_all(b"x").await.is_ok() {
            assert!(started.elapsed() < Duration::from_secs(3), "it drips on and on");
            sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(proxy.get("/v0.1/ping").await.status, 200);
    proxy.stop().await;
}
