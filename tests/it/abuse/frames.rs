//! HTTP/2 frame by frame: what breaks its rules is answered as RFC 9113 wants it, and costs the others nothing.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::PATIENCE;
use crate::support::proxy::Setup;
use crate::support::stream::connect;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RESET: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const ACKNOWLEDGED: u8 = 1;

/// `GET http://a/v0.1/ping`, compressed (RFC 7541).
pub(super) const GET: &[u8] = b"\x82\x86\x04\x0a/v0.1/ping\x01\x01a";

/// A frame (RFC 9113 §4.1).
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A whole request without a body.
pub(super) fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, GET)
}

/// A connection that has said that it speaks HTTP/2.
pub(super) async fn begin(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address).await;
    let bytes = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, b"")].concat();
    stream.write_all(&bytes).await.expect("it reads");
    stream
}

/// What has to come of frames, and what came.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// An error of the connection, which ends it.
    Goodbye,
    /// An error of the stream, which ends that; it may be taken for one of the connection (RFC 9113 §5.4.1).
    Reset,
    /// Nothing: pings were answered.
    Nothing,
}

/// Reads until it is clear what came of it.
async fn outcome(stream: &mut TcpStream) -> Outcome {
    let read = async {
        let mut pongs = 0;
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.expect("a frame");
            let [l0, l1, l2, kind, flags, ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
            stream.read_exact(&mut payload).await.expect("a whole frame");
            match kind {
                GOAWAY => {
                    assert_ne!(payload[4..8], [0; 4], "a goodbye has a reason");
                    return Outcome::Goodbye;
                }
                RESET => {
                    assert_ne!(payload[..4], [0; 4], "a reset has a reason");
                    return Outcome::Reset;
                }
                // The answer to the first ping may overtake a reset.
                PING if flags == ACKNOWLEDGED && pongs == 0 => {
                    pongs += 1;
                    stream.write_all(&frame(PING, 0, 0, &[1; 8])).await.expect("it reads");
                }
                PING if flags == ACKNOWLEDGED => return Outcome::Nothing,
                _ => {}
            }
        }
    };
    timeout(PATIENCE, read).await.expect("something comes of it")
}

/// What each is named in RFC 9113, the frames, and what has to come of them.
fn rows() -> Vec<(&'static str, Vec<u8>, Outcome)> {
    use Outcome::{Goodbye, Nothing, Reset};
    let setting = |id: u16, value: u32| frame(SETTINGS, 0, 0, &[&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
    let open = || frame(HEADERS, END_HEADERS, 1, GET);
    let then = |first: Vec<u8>, second: Vec<u8>| [first, second].concat();
    let most = 0x7fff_ffff_u32.to_be_bytes();
    vec![
        ("§4.1 an unknown frame", frame(0xaa, 0xff, 0, b"anything"), Nothing),
        ("§4.2 a frame that is too large", frame(DATA, 0, 1, &[0; 16_385]), Goodbye),
        ("§4.3 headers that cannot be decompressed", frame(HEADERS, END_HEADERS, 1, b"\x80"), Goodbye),
        ("§5.1 data on an idle stream", frame(DATA, 0, 1, b"x"), Goodbye),
        ("§5.1 a reset of an idle stream", frame(RESET, 0, 1, &[0; 4]), Goodbye),
        ("§5.1 a window of an idle stream", frame(WINDOW, 0, 1, &[0, 0, 0, 1]), Goodbye),
        ("§5.1 data behind the end", then(get(1), frame(DATA, 0, 1, b"x")), Reset),
        ("§5.1.1 a stream of even number", get(2), Goodbye),
        ("§5.1.1 a stream that goes back", then(get(5), get(3)), Goodbye),
        ("§6.1 data on no stream", frame(DATA, 0, 0, b"x"), Goodbye),
        ("§6.1 more padding than data", then(open(), frame(DATA, PADDED, 1, b"\xffx")), Goodbye),
        ("§6.2 headers on no stream", frame(HEADERS, END_HEADERS, 0, GET), Goodbye),
        ("§6.2 something between headers", then(frame(HEADERS, 0, 1, GET), frame(PING, 0, 0, &[0; 8])), Goodbye),
        ("§6.3 a short priority", frame(PRIORITY, 0, 1, &[0; 4]), Reset),
        ("§6.4 a reset of no stream", frame(RESET, 0, 0, &[0; 4]), Goodbye),
        ("§6.4 a short reset", then(open(), frame(RESET, 0, 1, &[0; 3])), Goodbye),
        ("§6.5 settings of a stream", frame(SETTINGS, 0, 1, b""), Goodbye),
        ("§6.5 settings of odd length", frame(SETTINGS, 0, 0, &[0; 5]), Goodbye),
        ("§6.5 a full acknowledgement", frame(SETTINGS, ACKNOWLEDGED, 0, &[0; 6]), Goodbye),
        ("§6.5.2 push neither on nor off", setting(2, 2), Goodbye),
        ("§6.5.2 a window beyond all", setting(4, 1 << 31), Goodbye),
        ("§6.5.2 frames smaller than any", setting(5, 100), Goodbye),
        ("§6.5.2 an unknown setting", setting(0xff, 1), Nothing),
        ("§6.6 a push by the client", frame(PUSH, END_HEADERS, 1, b"\0\0\0\x02\x82"), Goodbye),
        ("§6.7 a ping on a stream", frame(PING, 0, 1, &[0; 8]), Goodbye),
        ("§6.7 a short ping", frame(PING, 0, 0, &[0; 7]), Goodbye),
        ("§6.8 a goodbye on a stream", frame(GOAWAY, 0, 1, &[0; 8]), Goodbye),
        ("§6.9 no more of the connection's window", frame(WINDOW, 0, 0, &[0; 4]), Goodbye),
        ("§6.9 no more of a stream's window", then(open(), frame(WINDOW, 0, 1, &[0; 4])), Reset),
        (
            "§6.9.1 too much of the connection's window",
            then(frame(WINDOW, 0, 0, &most), frame(WINDOW, 0, 0, &most)),
            Goodbye,
        ),
        ("§6.10 a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, GET), Goodbye),
        ("§8.2 a name in capitals", frame(HEADERS, 5, 1, &[GET, b"\0\x01X\x01y"].concat()), Reset),
        ("§8.2.2 a header of HTTP/1", frame(HEADERS, 5, 1, &[GET, b"\0\x0aconnection\x01y"].concat()), Reset),
        ("§8.3 no path", frame(HEADERS, 5, 1, b"\x82\x86\x01\x01a"), Reset),
        ("§8.3 two methods", frame(HEADERS, 5, 1, &[b"\x82", GET].concat()), Reset),
    ]
}

#[tokio::test]
async fn c02_frames_that_break_the_rules() {
    let proxy = Setup::new().file("curated", "[]").start_ready().await;
    let mut wrong = Vec::new();
    for (name, frames, expected) in rows() {
        let mut stream = begin(proxy.address()).await;
        // The server may have ended it before the ping.
        let _ = stream.write_all(&[frames, frame(PING, 0, 0, &[0; 8])].concat()).await;
        let found = outcome(&mut stream).await;
        if found != expected && (found, &expected) != (Outcome::Goodbye, &Outcome::Reset) {
            wrong.push(format!("{name}: not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(proxy.get("/v0.1/ping").await.status, 200);
    proxy.stop().await;
}
