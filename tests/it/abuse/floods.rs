//! HTTP/2 in masses: frames that cost the client little and could cost the server much. Other clients are answered at
//! once meanwhile, memory stays bounded, and what is too much ends the connection.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use super::Victim;
use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, HEADERS, PING, RESET, SETTINGS, WINDOW, begin, frame, get,
};
use crate::support::PATIENCE;

/// How many frames a flood has, where the row has no other number.
const MANY: u32 = 5_000;
/// How many bytes are written at a time.
const PART: usize = 8 << 10;
/// How long the server has to end a connection after the last of it.
const VERDICT: Duration = Duration::from_secs(1);
/// By how much memory may grow, in bytes: a few connections' buffers.
const GROWTH: u64 = 16 << 20;

/// Sends frames until all are sent or the server has had enough, and reads what comes. Returns how many were sent,
/// roughly, and whether the server ended the connection.
async fn pour(address: SocketAddr, frames: impl Iterator<Item = Vec<u8>>) -> (u32, bool) {
    let (mut reader, mut writer) = begin(address).await.into_split();
    let mut sent = 0;
    let writing = async {
        let mut part = Vec::new();
        for frame in frames {
            sent += 1;
            part.extend(frame);
            if part.len() >= PART {
                if writer.write_all(&part).await.is_err() {
                    return;
                }
                part.clear();
            }
        }
        let _ = writer.write_all(&part).await;
        // Much of it may still have to be read.
        sleep(VERDICT).await;
    };
    let reading = async {
        let mut buffer = vec![0; 16 << 10];
        while reader.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    };
    let poured = async {
        tokio::select! {
            biased;
            () = reading => true,
            () = writing => false,
        }
    };
    let has_ended = timeout(PATIENCE * 12, poured).await.expect("it reads or ends");
    (sent, has_ended)
}

/// One connection's flood; says whether the server ended it.
async fn flood(frames: fn(u32) -> Vec<u8>) -> bool {
    let mut victim = Victim::start().await;
    let (_, has_ended) = victim.while_abused(pour(victim.serving.address, (0..MANY).map(frames))).await;
    victim.recovers(GROWTH).await;
    has_ended
}

/// Resets each request at once, on as many connections as that takes.
async fn reset_rapidly(count: u32) {
    let mut victim = Victim::start().await;
    let address = victim.serving.address;
    let abuse = async {
        let mut left = count;
        while left > 0 {
            // The server closes a connection after some hundreds of them.
            let of_one = left.min(1_000);
            let reset = |number: u32| {
                let stream = 2 * number + 1;
                [get(stream), frame(RESET, 0, stream, &[0, 0, 0, 8])].concat()
            };
            let (sent, _) = pour(address, (0..of_one).map(reset)).await;
            left -= sent.clamp(235, 1_000).min(left);
        }
    };
    victim.while_abused(abuse).await;
    victim.recovers(GROWTH).await;
}

#[tokio::test]
async fn c15_rapid_reset() {
    reset_rapidly(2_000).await;
}

#[tokio::test]
#[ignore = "takes long; run it with --release"]
async fn c15_rapid_reset_in_full() {
    reset_rapidly(200_000).await;
}

#[tokio::test]
async fn c15_continuation_flood() {
    let continued =
        |number| if number == 0 { frame(HEADERS, 0, 1, GET) } else { frame(CONTINUATION, 0, 1, b"\0\x01x\x01y") };
    assert!(flood(continued).await, "headers without an end end the connection");
    let empty = |number| if number == 0 { frame(HEADERS, 0, 1, GET) } else { frame(CONTINUATION, 0, 1, b"") };
    assert!(flood(empty).await, "and so do empty ones");
}

#[tokio::test]
async fn c15_settings_and_ping_flood() {
    flood(|_| frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff])).await;
    flood(|_| frame(PING, 0, 0, &[0; 8])).await;
}

#[tokio::test]
#[ignore = "takes long; run it with --release"]
async fn c15_settings_and_ping_flood_in_full() {
    for kind in [SETTINGS, PING] {
        let mut victim = Victim::start().await;
        let payload = if kind == PING { &[0; 8][..] } else { &[][..] };
        let frames = (0..100_000).map(|_| frame(kind, 0, 0, payload));
        victim.while_abused(pour(victim.serving.address, frames)).await;
        victim.recovers(GROWTH).await;
    }
}

/// Who sends pings and reads no answers is not read either, once the answers fill what there is for them.
#[tokio::test]
async fn c15_a_flood_whose_answers_nobody_reads() {
    let mut victim = Victim::start().await;
    let abuse = async {
        let mut stream = begin(victim.serving.address).await;
        let part = frame(PING, 0, 0, &[0; 8]).repeat(1_000);
        let mut sent = 0;
        while let Ok(Ok(())) = timeout(Duration::from_millis(300), stream.write_all(&part)).await {
            sent += part.len();
            assert!(sent < 64 << 20, "it reads on and on");
        }
        stream
    };
    let stream = victim.while_abused(abuse).await;
    assert!(victim.growth() < GROWTH, "{}", victim.growth());
    drop(stream);
    victim.recovers(GROWTH).await;
}

#[tokio::test]
async fn c15_empty_data_flood() {
    flood(|number| if number == 0 { frame(HEADERS, END_HEADERS, 1, GET) } else { frame(DATA, 0, 1, b"") }).await;
}

/// The client breaks a rule on each of its streams, so that it is the server that resets them.
#[tokio::test]
async fn c15_made_you_reset() {
    let broken = |number: u32| {
        let stream = 2 * number + 1;
        [get(stream), frame(WINDOW, 0, stream, &[0; 4])].concat()
    };
    assert!(flood(broken).await, "it does not reset streams for ever");
}

/// Windows of nothing: no answer can be sent, and none is made in advance.
#[tokio::test]
async fn c15_no_window() {
    let mut victim = Victim::start().await;
    let abuse = async {
        let mut connections = Vec::new();
        for _ in 0..20 {
            let mut stream = begin(victim.serving.address).await;
            let mut bytes = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
            (0..100).for_each(|number| bytes.extend(get(2 * number + 1)));
            stream.write_all(&bytes).await.expect("it reads");
            connections.push(stream);
        }
        connections
    };
    let connections = victim.while_abused(abuse).await;
    assert!(victim.growth() < GROWTH, "{}", victim.growth());
    drop(connections);
    victim.recovers(GROWTH).await;
}

/// One byte refers to a header of 4,000: small frames, large heads.
#[tokio::test]
async fn c15_compression_bomb() {
    let bomb = |number: u32| {
        let stream = 2 * number + 1;
        let mut block = GET.to_vec();
        if number == 0 {
            // Literal with indexing: name `x`, a value of 4,000 bytes (127 + 3,873 in seven-bit groups).
            block.extend(b"\x40\x01x\x7f\xa1\x1e");
            block.extend([b'y'; 4_000]);
        }
        block.extend([0xbe; 2_000]);
        frame(HEADERS, END_STREAM | END_HEADERS, stream, &block)
    };
    let mut victim = Victim::start().await;
    victim.while_abused(pour(victim.serving.address, (0..200).map(bomb))).await;
    victim.recovers(GROWTH).await;
}
