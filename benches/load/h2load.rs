//! h2load, over HTTP/2 without TLS: 16 connections with 16 requests each at a time, one thread.

use std::net::SocketAddr;
use std::process::Command;

use crate::Outcome;
use crate::processes::Process;

/// How many requests were answered, and in how many seconds.
pub(crate) fn run(
    address: SocketAddr,
    target: &str,
    headers: &[(String, String)],
    seconds: u64,
) -> Outcome<(u64, f64)> {
    let mut command = Command::new("h2load");
    command.args(["-c16", "-m16", "-t1", "-D", &seconds.to_string()]);
    for (name, value) in headers {
        command.arg("-H").arg(format!("{name}: {value}"));
    }
    let output = Process::start("h2load", command.arg(format!("http://{address}{target}")))?.output()?;
    read(&output).ok_or_else(|| format!("h2load on http://{address}{target} did not go well: {output}").into())
}

/// Reads what it prints; nothing, where a request failed.
fn read(output: &str) -> Option<(u64, f64)> {
    let line = |start: &str| output.lines().find_map(|line| line.trim().strip_prefix(start));
    let (seconds, _) = line("finished in ")?.split_once("s, ")?;
    let counts = line("requests: ")?;
    let count = |what: &str| -> Option<u64> {
        let part = counts.split(", ").find(|part| part.ends_with(what))?;
        part.split(' ').next()?.parse().ok()
    };
    let went_well = count(" failed")? == 0 && count(" errored")? == 0;
    let by_status = line("status codes: ")?;
    let are_all_good = by_status.contains(" 0 3xx, 0 4xx, 0 5xx");
    (went_well && are_all_good).then_some((count(" succeeded")?, seconds.parse().ok()?))
}
