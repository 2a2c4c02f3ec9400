//! `healthcheck`: asks the running proxy whether it lives, for containers that have no curl.

use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use crate::config::Config;

/// How long connecting and answering may take, each.
const TIMEOUT: Duration = Duration::from_secs(3);

pub(super) fn run(config: &Config) -> ExitCode {
    let address = reachable(config.server.listen);
    match status_line(address) {
        Ok(line) if line.starts_with("HTTP/1.1 200 ") => ExitCode::SUCCESS,
        Ok(line) => fail(address, &format!("answered {line:?}")),
        Err(error) => fail(address, &error.to_string()),
    }
}

fn fail(address: SocketAddr, problem: &str) -> ExitCode {
    super::report(&format!("http://{address}/livez: {problem}"));
    ExitCode::FAILURE
}

/// Where a listener is reached from the same host: one that takes every address takes loopback too.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

fn status_line(address: SocketAddr) -> Result<String, Error> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("GET /livez HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    if line.is_empty() { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(String::from_utf8_lossy(line).into_owned()) }
}
