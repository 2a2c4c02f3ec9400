//! wrk, over HTTP/1.1: one thread, so that the server has what else there is of two cores.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::Outcome;
use crate::processes::Process;

/// What it says at the end. A request that is always the same is made once, by wrk itself.
const DONE: &str = r#"
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests":%d,"micros":%d,"failed":%d,"refused":%d,"p50":%d,"p99":%d,"p999":%d}\n',
    summary.requests, summary.duration, errors.connect + errors.read + errors.write + errors.timeout,
    errors.status, latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
"#;

/// Requests that differ: a file has their targets, one a line. The first argument is where to begin.
const MANY: &str = r#"
local requests, at = {}, 0
function init(args)
  at = tonumber(args[1])
  for target in io.lines(args[2]) do requests[#requests + 1] = wrk.format("GET", target) end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
"#;

/// What one run of wrk brought; times in microseconds.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Figures {
    pub(crate) requests: u64,
    pub(crate) micros: f64,
    /// Connections that broke, and requests that were not answered.
    failed: u64,
    /// Answers of 400 and more.
    refused: u64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) target: &'a str,
    /// A file with others besides, and where in it to begin.
    pub(crate) many: Option<(&'a Path, usize)>,
    pub(crate) headers: &'a [(String, String)],
    pub(crate) connections: u32,
    pub(crate) seconds: u64,
    /// Whether 404 is what is wanted.
    pub(crate) is_refused: bool,
}

/// wrk and its scripts.
#[derive(Debug)]
pub(crate) struct Wrk {
    one: PathBuf,
    many: PathBuf,
}

impl Wrk {
    pub(crate) fn new(directory: &Path) -> Outcome<Self> {
        let (one, many) = (directory.join("one.lua"), directory.join("many.lua"));
        fs::write(&one, DONE)?;
        fs::write(&many, format!("{MANY}{DONE}"))?;
        Ok(Self { one, many })
    }

    pub(crate) fn run(&self, load: &Load<'_>) -> Outcome<Figures> {
        let Load { address, target, many, headers, connections, seconds, is_refused } = *load;
        let mut command = Command::new("wrk");
        command.args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "--timeout", "10s", "-s"]);
        command.arg(if many.is_some() { &self.many } else { &self.one });
        for (name, value) in headers {
            command.arg("-H").arg(format!("{name}: {value}"));
        }
        command.arg(format!("http://{address}{target}"));
        if let Some((file, from)) = many {
            command.arg("--").arg(from.to_string()).arg(file);
        }
        let output = Process::start("wrk", &mut command)?.output()?;
        let result = output.lines().find_map(|line| line.strip_prefix("RESULT "));
        let figures: Figures = serde_json::from_str(result.ok_or_else(|| format!("wrk gave no figures: {output}"))?)?;
        let refused = if is_refused { 0 } else { figures.refused };
        if figures.requests == 0 || 0 < figures.failed + refused {
            let Figures { requests, failed, .. } = figures;
            let counts = format!("{failed} failed and {refused} were refused of {requests} requests");
            return Err(format!("wrk on http://{address}{target}: {counts}").into());
        }
        Ok(figures)
    }
}
