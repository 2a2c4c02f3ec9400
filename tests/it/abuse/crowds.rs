//! Many clients at a time: idle ones, ones that come and go, more than there is room for.

use http::Method;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Victim;
use crate::support::http::send;
use crate::support::stream::connect;
use crate::support::{PATIENCE, check, eventually};

const GET: &[u8] = b"GET /v0.1/ping HTTP/1.1\r\nHost: a\r\n\r\n";

/// Lets this process have as many connections as it may.
pub(super) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Asks over a connection that stays open.
async fn ask(stream: &mut TcpStream) {
    stream.write_all(GET).await.expect("it reads");
    let mut answer = Vec::new();
    while !answer.ends_with(b"{\"pong\":true}\n") {
        let read = timeout(PATIENCE, stream.read_buf(&mut answer)).await.expect("an answer in time");
        assert!(read.is_ok_and(|read| read > 0), "an answer");
    }
}

/// `per_connection` is the most memory that each may take, in bytes.
async fn idle(count: usize, per_connection: u64) {
    raise_open_files();
    let mut victim = Victim::start().await;
    let address = victim.serving.address;
    let abuse = async {
        let mut connections = Vec::new();
        for _ in 0..count {
            let mut stream = connect(address).await;
            ask(&mut stream).await;
            connections.push(stream);
        }
        connections
    };
    let mut connections = victim.while_abused(abuse).await;
    let each = victim.growth() / count as u64;
    assert!(each <= per_connection, "{each} bytes each");
    // They are idle, not gone.
    for stream in connections.iter_mut().step_by(count / 10) {
        ask(stream).await;
    }
    drop(connections);
    victim.recovers(count as u64 * per_connection).await;
}

#[tokio::test]
async fn c16_idle_connections() {
    // With so few, what the process allocates anyway counts for each.
    idle(500, 48 << 10).await;
}

#[tokio::test]
#[ignore = "needs 10,000 file descriptors (`ulimit -n`); run it with --release"]
async fn c16_ten_thousand_idle_connections() {
    idle(9_900, 24 << 10).await;
}

#[tokio::test]
async fn c16_one_too_many_waits_and_is_served() {
    let mut victim = Victim::start_with("[limits]\nconnections = 20\n", "[]").await;
    let address = victim.serving.address;
    let mut connections = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(address).await;
        ask(&mut stream).await;
        connections.push(stream);
    }
    // The kernel takes it, the proxy does not yet.
    let mut late = connect(address).await;
    late.write_all(GET).await.expect("the kernel takes it");
    let early = late.try_read(&mut [0]);
    assert!(early.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "there is no room yet");
    connections.pop();
    let mut first = [0];
    let read = timeout(PATIENCE, late.read(&mut first)).await.expect("an answer in time");
    assert_eq!((read.expect("an answer"), first), (1, *b"H"));
    drop((connections, late));
    victim.recovers(8 << 20).await;
}

/// Clients that hang up while they are answered.
async fn hang_up(count: usize) {
    let mut victim = Victim::start().await;
    let address = victim.serving.address;
    let abuse = async {
        for number in 0..count {
            let mut stream = connect(address).await;
            let limit = 1 + number % 100;
            let request = format!("GET /v0.1/servers?limit={limit} HTTP/1.1\r\nHost: a\r\n\r\n");
            // Half of a request, a request, several of them, and some of the answer.
            let request = match number % 4 {
                0 => request[..request.len() / 2].to_owned(),
                1 => request.repeat(5),
                _ => request,
            };
            stream.write_all(request.as_bytes()).await.expect("it reads");
            if number % 4 == 3 {
                stream.read_exact(&mut [0; 16]).await.expect("an answer");
            }
        }
    };
    victim.while_abused(abuse).await;
    victim.recovers(32 << 20).await;
    let log = victim.serving.log_with("\"level\":\"WARN\"");
    assert!(log.is_empty(), "clients that go are not worth a line: {log:?}");
}

#[tokio::test]
async fn c25_clients_that_hang_up() {
    hang_up(400).await;
}

#[tokio::test]
async fn c17_few_descriptors_and_many_clients() {
    let workplace = crate::support::binary::Workplace::new();
    workplace.write("curated.json", "[]");
    workplace.write("proxy.toml", super::CONFIGURATION);
    let serving = workplace.serve_within(40, &["--config", "proxy.toml"]).await;
    let mut connections = Vec::new();
    for _ in 0..100 {
        let mut stream = connect(serving.address).await;
        let _ = stream.write_all(GET).await;
        connections.push(stream);
    }
    let before = processor_time(serving.id());
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let spent = processor_time(serving.id()) - before;
    assert!(spent <= 15, "it spins: {spent} hundredths of a second of 30");
    drop(connections);
    eventually("it answered again", async || {
        let reply = send(serving.address, Method::GET, "/livez").await;
        check(reply.status == 200, reply.text())
    })
    .await;
}

/// How long a process has had a processor, in ticks of 10 ms.
fn processor_time(id: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("it runs");
    let (_, rest) = stat.rsplit_once(") ").expect("a name");
    let ticks = |field: usize| rest.split(' ').nth(field).and_then(|ticks| ticks.parse::<u64>().ok());
    // Fields 14 and 15 of proc(5); `rest` begins with the third.
    ticks(11).zip(ticks(12)).map(|(user, system)| user + system).expect("numbers")
}
