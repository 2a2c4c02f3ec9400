//! What a connection takes on which nothing happens.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::judge::{Judgement, short};
use crate::statistics::number;
use crate::{Outcome, measure, stop};

const CONNECTIONS: u64 = 10_000;
/// Files that are open besides.
const OTHERS: u64 = 200;
/// The target, in KB of 1,000 bytes, as bare hyper's figure is.
const MOST: f64 = 14.0;

/// Opens ten thousand connections to a process, asks once on each, and returns what each one takes, in KB.
pub(crate) fn cost(id: u32, address: SocketAddr, target: &str) -> Outcome<f64> {
    let count = CONNECTIONS.min(open_files().saturating_sub(OTHERS));
    let before = measure::memory(id)?;
    let mut connections = Vec::new();
    for _ in 0..count {
        stop::check()?;
        connections.push(ask(address, target)?);
    }
    stop::pause(Duration::from_secs(1))?;
    let after = measure::memory(id)?;
    Ok(number(after.saturating_sub(before)) / number(count.max(1)) / 1e3)
}

/// The verdict on the proxy's, and what bare hyper takes beside it.
pub(crate) fn judge(proxy: f64, bare: Option<f64>) -> Vec<Judgement> {
    let mut judged = vec![Judgement::at_most("10,000 idle connections, each", proxy, MOST, " KB")];
    judged.extend(bare.map(|bare| Judgement::told("those of bare hyper, each", format!("{} KB", short(bare)))));
    judged
}

/// A connection whose first answer has come.
fn ask(address: SocketAddr, target: &str) -> Outcome<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {address}\r\nAccept-Encoding: identity\r\n\r\n")?;
    let (mut answer, mut part) = (Vec::new(), [0; 16 << 10]);
    while !is_whole(&answer) {
        let length = stream.read(&mut part)?;
        if length == 0 {
            return Err(format!("http://{address} closed a connection before its answer").into());
        }
        answer.extend_from_slice(&part[..length]);
    }
    Ok(stream)
}

/// Whether an answer has come to its end.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0_usize)
}

/// How many files may be open, at most.
fn open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let is_raised = setrlimit(Resource::Nofile, raised).is_ok();
    (if is_raised { limit.maximum } else { limit.current }).unwrap_or(u64::MAX)
}
