//! The runs: in each round every scenario, and in each scenario the proxy, nginx and bare hyper one after the other,
//! so that what the machine does meanwhile touches all alike.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::field::Field;
use crate::measure::{Sighting, cpu};
use crate::scenarios::Scenario;
use crate::server::Protocol;
use crate::statistics::number;
use crate::wrk::Load;
use crate::{Outcome, h2load, idle, measure, stop};

/// How long the answers take, at most, for which no client waits any more.
const SETTLES: Duration = Duration::from_secs(30);
/// How busy the proxy may be, in cores, while another one is asked: more, and that one does not answer by itself.
const DISTURBED: f64 = 0.10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Server {
    Proxy,
    Nginx,
    Bare,
}

/// What one run showed; times in microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Those of the server, for each request.
    pub(crate) cpu: f64,
    /// p50, p99, p99.9, where the client says them.
    pub(crate) latency: Option<[f64; 3]>,
}

/// A scenario and all its runs, by server, one a round.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) scenario: Scenario,
    /// Of the first answer's body.
    pub(crate) bytes: usize,
    pub(crate) runs: BTreeMap<Server, Vec<Sighting<Run>>>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) bare: SocketAddr,
    /// How many requests the proxy was asked, so that the next run begins where this one ended.
    pub(crate) asked: u64,
}

impl Field<'_> {
    /// What an idle connection of bare hyper takes, where it runs.
    pub(crate) fn idle_of_bare(&self, measured: &[Measured]) -> Outcome<Option<f64>> {
        let plain = |measured: &&Measured| {
            measured.scenario.has_rivals && measured.scenario.protocol == Protocol::Http1 && 0 < measured.bytes
        };
        let shortest = measured.iter().filter(plain).min_by_key(|measured| measured.bytes);
        let (Some(shortest), Some((_, bare))) = (shortest, &self.rivals) else { return Ok(None) };
        idle::cost(bare.id(), shortest.bare, "/").map(Some)
    }

    /// All rounds.
    pub(crate) fn run(&self, measured: &mut [Measured], arguments: &Arguments) -> Outcome<()> {
        for round in 0..arguments.rounds() {
            for measured in &mut *measured {
                let title = &measured.scenario.title;
                eprintln!("round {} of {}: {title}", round + 1, arguments.rounds());
                let mut servers = Self::servers(&measured.scenario);
                // Whoever comes first is another one each time.
                let first = round % servers.len();
                servers.rotate_left(first);
                for server in servers {
                    let once = || self.run_once(server, measured, arguments.seconds());
                    let run = measure::cleanly(arguments.attempts(), once)?;
                    measured.runs.entry(server).or_default().push(run);
                }
            }
        }
        Ok(())
    }

    fn run_once(&self, server: Server, measured: &mut Measured, seconds: u64) -> Outcome<Run> {
        let (id, address) = self.find(server, measured);
        let Measured { scenario, file, asked, .. } = measured;
        settle(id)?;
        let (before, of_proxy) = (cpu(id)?, self.proxy.cpu()?);
        let (requests, rate, latency) = match scenario.protocol {
            Protocol::Http1 => {
                let from = usize::try_from(*asked)? % scenario.targets.len();
                let load = Load {
                    address,
                    target: &scenario.targets[0],
                    many: file.as_deref().map(|file| (file, from)),
                    headers: &scenario.headers,
                    connections: scenario.connections,
                    seconds,
                    is_refused: scenario.status == 404,
                };
                let figures = self.wrk.run(&load)?;
                let rate = number(figures.requests) / (figures.micros / 1e6);
                (figures.requests, rate, Some([figures.p50, figures.p99, figures.p999]))
            }
            Protocol::Http2 => {
                let (requests, took) = h2load::run(address, &scenario.targets[0], &scenario.headers, seconds)?;
                (requests, number(requests) / took, None)
            }
        };
        *asked += requests;
        let cpu = (cpu(id)? - before) * 1e6 / number(requests);
        let disturbed = self.proxy.cpu()? - of_proxy;
        if server != Server::Proxy && DISTURBED * number(seconds) < disturbed {
            let title = &scenario.title;
            return Err(format!("{title}: the proxy was busy for {disturbed} s while {server:?} was asked").into());
        }
        Ok(Run { rate, cpu, latency })
    }
}

/// Waits until a server has nothing left to do of the run before: its clients went without waiting for their answers.
fn settle(id: u32) -> Outcome<()> {
    let mut before = f64::NEG_INFINITY;
    stop::until("a server is done with the run before", Duration::from_millis(50), SETTLES, || {
        let now = cpu(id)?;
        let is_idle = now - before < 0.02;
        before = now;
        Ok(is_idle)
    })
}
