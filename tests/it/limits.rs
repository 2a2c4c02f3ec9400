//! `[limits]`: what a registry may cost and what clients may have, each bound as configured, and memory under attack.

use std::io::Write as _;
use std::time::Duration;

use http::Method;
use mcp_registry_proxy::serve::Deadlines;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use crate::support::binary::Workplace;
use crate::support::entry::{Entry, numbered};
use crate::support::http::send;
use crate::support::http2::{Client, request};
use crate::support::proxy::Setup;
use crate::support::raw::RawServer;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::stream::{connect, exchange, header, is_ours, read_to_end, status};
use crate::support::{PATIENCE, check, eventually};

const MIB: usize = 1 << 20;

/// What the last test of a registry found wrong.
fn reason(registry: &Value) -> String {
    registry["lastCheck"]["stages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|stage| stage["reason"].as_str())
        .collect()
}

/// An answer with a body in a content coding.
pub(crate) fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// As many spaces as make a bomb, in every coding.
pub(crate) fn bombs() -> [(&'static str, Vec<u8>); 3] {
    let spaces = vec![b' '; 16 * MIB];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&spaces).expect("memory");
    let mut brotli = brotli::CompressorWriter::new(Vec::new(), 1 << 16, 1, 24);
    for _ in 0..8 {
        brotli.write_all(&spaces).expect("memory");
    }
    // Streams of these two may follow one another.
    let gzip = gzip.finish().expect("memory").repeat(64);
    let zstd = zstd::bulk::compress(&spaces, 1).expect("memory").repeat(64);
    [("gzip", gzip), ("br", brotli.into_inner()), ("zstd", zstd)]
}

#[tokio::test]
async fn a_decompression_bomb_costs_no_more_memory_than_the_largest_answer() {
    for (coding, bomb) in bombs() {
        let registry = RawServer::start(coded(coding, &bomb)).await;
        let workplace = Workplace::new();
        let configuration = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[network]\nproxy = \"off\"\n[log]\nformat = \"json\"\n[store]\n\
             path = \"off\"\n[health]\ninterval = \"50ms\"\nunhealthy_after = 1\n[[registries]]\nname = \"bomb\"\nurl = {:?}\n",
            registry.url()
        );
        workplace.write("proxy.toml", configuration);
        let serving = workplace.serve(&["--config", "proxy.toml"]).await;
        let before = serving.peak_memory();
        let found = eventually("the bomb was found out", async || {
            let registry = send(serving.address, Method::GET, "/registries/bomb").await.json();
            if registry["state"] == "unhealthy" { Ok(reason(&registry)) } else { Err(registry.to_string()) }
        })
        .await;
        assert!(found.contains("more than 33554432 bytes"), "{coding}: {found}");
        let grown = serving.peak_memory() - before;
        // The answer, half of it again while it grows, the largest window, and what a moment of serving takes.
        assert!(grown < (32 + 16 + 16 + 8) * MIB as u64, "{coding}: {} MiB more", grown >> 20);
    }
}

#[tokio::test]
async fn compressed_answers_are_read_and_broken_ones_said_to_be_so() {
    let list =
        json!({"servers": [Entry::new("com.example/a", "1.0.0").into_value()], "metadata": {"count": 1}}).to_string();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(list.as_bytes()).expect("memory");
    let gzip = gzip.finish().expect("memory");
    let zstd = zstd::bulk::compress(list.as_bytes(), 1).expect("memory");
    let mut brotli = brotli::CompressorWriter::new(Vec::new(), 4096, 1, 22);
    brotli.write_all(list.as_bytes()).expect("memory");
    let brotli = brotli.into_inner();
    let cases = [
        ("gzip", gzip.clone(), ""),
        ("x-gzip", gzip.clone(), ""),
        ("br", brotli.clone(), ""),
        ("zstd", zstd.clone(), ""),
        ("gzip", gzip[..gzip.len() - 4].to_vec(), "breaks off"),
        ("br", brotli[..brotli.len() / 2].to_vec(), "breaks off"),
        ("zstd", [zstd.clone(), b"garbage".to_vec()].concat(), "cannot be decompressed"),
        ("gzip", list.clone().into_bytes(), "cannot be decompressed"),
        ("gzip, gzip", gzip.clone(), "several content codings"),
        ("deflate", gzip, "not offered"),
    ];
    let mut servers = Vec::new();
    let mut setup = Setup::new().settings("[health]\nunhealthy_after = 1");
    for (index, (coding, body, _)) in cases.iter().enumerate() {
        let server = RawServer::start(coded(coding, body)).await;
        setup = setup.registry(&format!("r{index}"), &server.url());
        servers.push(server);
    }
    let proxy = setup.start().await;
    for (index, (coding, _, expected)) in cases.iter().enumerate() {
        let state = if expected.is_empty() { "healthy" } else { "unhealthy" };
        let found = reason(&proxy.until_state(&format!("r{index}"), state).await);
        assert!(found.contains(expected), "{coding}: {found}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn requests_offer_the_codings_that_are_understood() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
    assert!(registry.requests().iter().all(|seen| seen.header("accept-encoding") == "zstd, br, gzip"));
    proxy.stop().await;
}

#[tokio::test]
async fn a_walk_ends_at_each_of_its_bounds() {
    for (limit, expected) in [
        ("max_pages = 2", "more than 2 pages (`limits.max_pages`)"),
        ("max_listing_versions = 150", "more than 150 versions (`limits.max_listing_versions`)"),
        ("max_listing_size = \"1MiB\"", "more than 1048576 bytes (`limits.max_listing_size`)"),
        ("max_response_size = \"100KiB\"", "more than 102400 bytes (`limits.max_response_size`)"),
        ("request_timeout = \"300ms\"\nwalk_timeout = \"1s\"", "(`limits.walk_timeout`)"),
    ] {
        let large = |entry: Entry| entry.server("note", "x".repeat(6_000));
        let registry = FakeRegistry::start(numbered("com.example", 300).into_iter().map(large).collect()).await;
        if limit.contains("walk_timeout") {
            registry.when(Seen::has_cursor, Behaviour::Slow(Duration::from_secs(5)));
        }
        let settings = format!("[limits]\n{limit}\n");
        let proxy = Setup::new().settings(&settings).registry("alpha", &registry.url()).start().await;
        let failed = proxy.until("alpha", "the walk failed", |registry| registry["lastSync"]["ok"] == false).await;
        let error = failed["lastSync"]["error"].as_str().unwrap_or_default();
        assert!(error.contains(expected), "{limit}: {error}");
        proxy.stop().await;
    }
}

#[tokio::test]
async fn an_entry_may_be_as_large_as_configured() {
    let large = Entry::new("com.example/large", "1.0.0").server("note", "x".repeat(2_000));
    let registry = FakeRegistry::start(vec![Entry::new("com.example/small", "1.0.0"), large]).await;
    let settings = "[limits]\nmax_entry_size = \"2KiB\"\n";
    let proxy = Setup::new().settings(settings).registry("alpha", &registry.url()).start_ready().await;
    assert_eq!(proxy.walk("", 100).await.len(), 1);
    let refused = &proxy.registry("alpha").await["refused"];
    assert!(refused.to_string().contains("an entry may have 2048"), "{refused}");
    proxy.stop().await;
}

/// U7 and U8: an answer that comes a byte at a time has the time of one request, not for ever.
#[tokio::test]
async fn an_answer_that_drips_is_given_up() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n";
    for answer in [head.to_owned(), format!("{head}{{\"servers\":[")] {
        let registry = RawServer::start_dripping(answer.repeat(40), Duration::from_millis(2)).await;
        let settings = "[health]\ntimeout = \"300ms\"\nunhealthy_after = 1\n[limits]\nrequest_timeout = \"300ms\"";
        let started = Instant::now();
        let proxy = Setup::new().settings(settings).registry("alpha", &registry.url()).start().await;
        let found = reason(&proxy.until_state("alpha", "unhealthy").await);
        assert!(found.contains("no complete answer within 0.3 s"), "{found}");
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        proxy.stop().await;
    }
    // The same of a page in the middle of a walk.
    let registry = FakeRegistry::start(numbered("com.example", 150)).await;
    registry.when(Seen::has_cursor, Behaviour::Slow(Duration::from_mins(1)));
    let settings = "[limits]\nrequest_timeout = \"300ms\"";
    let proxy = Setup::new().settings(settings).registry("alpha", &registry.url()).start().await;
    let shown = proxy.until("alpha", "the page was given up", |registry| !registry["lastError"].is_null()).await;
    assert!(shown["lastError"]["message"].to_string().contains("no complete answer within 0.3 s"), "{shown}");
    proxy.stop().await;
}

/// A list whose first page has about 10 MB: more than sockets hold.
pub(crate) fn large_list() -> String {
    let large = |number: usize| {
        Entry::new(&format!("com.example/{number:03}"), "1.0.0").server("note", "x".repeat(100_000)).into_value()
    };
    json!({ "servers": (0..100).map(large).collect::<Vec<_>>() }).to_string()
}

pub(crate) const LARGE: &str = "GET /v0.1/servers?limit=100 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
}

/// Lets one answer of that list through at a time, and others beside it that are not small.
const LITTLE_ROOM: &str = "[limits]\nmax_sending_size = \"2MiB\"";

#[tokio::test]
async fn what_is_too_much_at_a_time_is_503_and_soon_over() {
    let proxy = Setup::new().settings(LITTLE_ROOM).file("curated", large_list()).start_ready().await;
    let mut slow = connect(proxy.address()).await;
    slow.write_all(LARGE.as_bytes()).await.expect("it reads");
    slow.readable().await.expect("the answer begins");
    let refused = exchange(proxy.address(), LARGE).await;
    assert_too_much(&refused);
    for health in ["/livez", "/readyz"] {
        assert_eq!(status(&exchange(proxy.address(), get(health)).await), 200, "{health}");
    }
    let answer = read_to_end(&mut slow).await;
    assert!(status(&answer) == 200 && answer.len() > 10_000_000, "{}", answer.len());
    eventually("there was room again", async || {
        let answer = exchange(proxy.address(), LARGE).await;
        check(status(&answer) == 200, status(&answer))
    })
    .await;
    proxy.stop().await;
}

fn assert_too_much(answer: &str) {
    assert_eq!(status(answer), 503);
    assert_eq!(header(answer, "retry-after"), "1");
    assert_eq!(header(answer, "content-type"), "application/problem+json");
    assert!(is_ours(answer) && answer.contains("Too many requests are being answered"), "{answer}");
}

/// A request counts while its answer is being made: here, while a registry is asked.
#[tokio::test]
async fn too_many_requests_at_a_time_are_503() {
    let registry = FakeRegistry::start(numbered("com.example", 1)).await;
    let settings = "[limits]\nrequests = 1\n[read_through]\nenabled = true\n[refresh]\ninterval = \"1h\"";
    let proxy = Setup::new().settings(settings).registry("alpha", &registry.url()).start_ready().await;
    proxy.until("alpha", "it was walked", |status| status["listing"] == "complete").await;
    registry.when(Seen::is_look_up, Behaviour::Slow(Duration::from_mins(1)));
    let mut slow = connect(proxy.address()).await;
    slow.write_all(get("/v0.1/servers/com.example%2Funknown/versions").as_bytes()).await.expect("it reads");
    eventually("the registry was asked", async || {
        let asked = registry.requests_where(Seen::is_look_up).len();
        check(asked > 0, asked)
    })
    .await;
    assert_too_much(&exchange(proxy.address(), get("/v0.1/ping")).await);
    assert_eq!(status(&exchange(proxy.address(), get("/livez")).await), 200);
    assert_eq!(status(&read_to_end(&mut slow).await), 404);
    assert_eq!(status(&exchange(proxy.address(), get("/v0.1/ping")).await), 200, "there is room again");
    proxy.stop().await;
}

/// Over HTTP/2, an answer that is on the way counts too, and first of all against its own connection.
#[tokio::test]
async fn too_much_over_http2_is_503_too() {
    let proxy = Setup::new().settings(LITTLE_ROOM).file("curated", large_list()).start_ready().await;
    // One answer that is not read shall leave the others their window.
    let client = Client::with_windows(connect(proxy.address()).await, 64 << 10, 1 << 20).await;
    let slow = client.begin(request(Method::GET, "/v0.1/servers?limit=100", "")).await.expect("an answer");
    assert_eq!(slow.status(), 200);
    let refused = client.get("/v0.1/ping").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{}", refused.text());
    assert_eq!(client.get("/livez").await.status, 200);
    drop(slow);
    eventually("there was room again", async || {
        let answer = client.get("/v0.1/ping").await;
        check(answer.status == 200, answer)
    })
    .await;
    proxy.stop().await;
}

/// Connections of HTTP/2 that ask for much and take nothing do not keep others from being answered.
#[tokio::test]
async fn windows_of_nothing_hold_no_requests() {
    let settings = "[limits]\nrequests = 16";
    let proxy = Setup::new().settings(settings).file("curated", "[]").start_ready().await;
    let (mut held, mut clients) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let client = Client::with_windows(connect(proxy.address()).await, 0, 1 << 20).await;
        for _ in 0..25 {
            let answer = client.begin(request(Method::GET, "/v0.1/ping", "")).await.expect("a head");
            assert_eq!(answer.status(), 200);
            held.push(answer);
        }
        let other = proxy.get("/v0.1/ping").await;
        assert_eq!(other.status, 200, "{} answers are not taken: {}", held.len(), other.text());
        clients.push(client);
    }
    drop((held, clients));
    proxy.stop().await;
}

/// Answers that nobody takes are given up soon where others find no room.
#[tokio::test]
async fn answers_that_nobody_takes_make_room() {
    for over_http2 in [true, false] {
        let deadlines = Deadlines { stall_when_full: Duration::from_millis(200), ..Deadlines::default() };
        let setup = Setup::new().settings(LITTLE_ROOM).file("curated", large_list());
        let proxy = setup.start_with(deadlines).await;
        proxy.until_ready().await;
        let client = Client::with_windows(connect(proxy.address()).await, 0, 1 << 20).await;
        let mut plain = connect(proxy.address()).await;
        let mut untaken = None;
        if over_http2 {
            untaken = Some(client.begin(request(Method::GET, "/v0.1/servers?limit=100", "")).await.expect("a head"));
        } else {
            plain.write_all(LARGE.as_bytes()).await.expect("it reads");
            plain.readable().await.expect("the answer begins");
        }
        let started = Instant::now();
        assert_eq!(proxy.get("/v0.1/ping").await.status, 503, "there is no room");
        eventually("there was room", async || {
            let reply = proxy.get("/v0.1/ping").await;
            check(reply.status == 200, reply.status)
        })
        .await;
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        drop((plain, client, untaken));
        proxy.stop().await;
    }
}

#[tokio::test]
async fn who_goes_away_leaves_room() {
    let proxy = Setup::new().settings(LITTLE_ROOM).file("curated", large_list()).start_ready().await;
    for _ in 0..5 {
        let mut gone = connect(proxy.address()).await;
        gone.write_all(LARGE.as_bytes()).await.expect("it reads");
        gone.readable().await.expect("the answer begins");
        drop(gone);
        eventually("there was room again", async || {
            let answer = exchange(proxy.address(), get("/v0.1/ping")).await;
            check(status(&answer) == 200, status(&answer))
        })
        .await;
    }
    proxy.stop().await;
}

#[tokio::test]
async fn one_address_has_no_more_connections_than_it_may_have() {
    let settings = "[limits]\nconnections_per_address = 2";
    let proxy = Setup::new().settings(settings).file("curated", "[]").start().await;
    let (first, _second) = (connect(proxy.address()).await, connect(proxy.address()).await);
    let mut third = connect(proxy.address()).await;
    let read = timeout(PATIENCE, third.read(&mut [0])).await.expect("it is closed");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    drop(first);
    eventually("there was room again", async || {
        let mut stream = connect(proxy.address()).await;
        stream.write_all(get("/v0.1/ping").as_bytes()).await.map_err(|error| error.to_string())?;
        let mut answer = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it ends");
        check(read.is_ok() && answer.starts_with(b"HTTP/1.1 200"), answer)
    })
    .await;
    proxy.stop().await;
}
