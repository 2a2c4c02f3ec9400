//! The runs: in each round every scenario, and in each scenario the proxy, nginx and bare hyper one after the other,
//! so that what the machine does meanwhile touches all alike.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::answers::Answer;
use crate::arguments::Arguments;
use crate::bare::Bare;
use crate::client::Client;
use crate::measure::{Window, cpu};
use crate::nginx::Nginx;
use crate::processes::free_port;
use crate::proxy::Proxy;
use crate::run::Bench;
use crate::scenarios::Scenario;
use crate::server::Protocol;
use crate::statistics::number;
use crate::wrk::{Load, Wrk};
use crate::{Outcome, h2load, idle};

/// A run counts if others used less of the machine meanwhile, in cores.
pub(crate) const CLEAN: f64 = 0.10;
/// How often a run is made, at most, until it counts.
const ATTEMPTS: usize = 3;

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
    /// What others used, in cores.
    foreign: f64,
}

impl Run {
    pub(crate) fn is_clean(&self) -> bool {
        self.foreign <= CLEAN
    }
}

/// A scenario and all its runs, by server, one a round.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) scenario: Scenario,
    /// Of the first answer's body.
    pub(crate) bytes: usize,
    pub(crate) runs: BTreeMap<Server, Vec<Run>>,
    file: Option<PathBuf>,
    bare: SocketAddr,
    /// How many requests the proxy was asked, so that the next run begins where this one ended.
    asked: u64,
}

/// All that is running.
#[derive(Debug)]
pub(crate) struct Field<'a> {
    pub(crate) client: &'a Client,
    pub(crate) wrk: &'a Wrk,
    pub(crate) proxy: &'a Proxy,
    pub(crate) rivals: Option<(Nginx, Bare)>,
}

impl<'a> Field<'a> {
    /// Starts those that the proxy is compared with, where they are needed, and lets them have what they serve.
    pub(crate) fn prepare(
        bench: &'a Bench<'_>,
        proxy: &'a Proxy,
        scenarios: Vec<Scenario>,
    ) -> Outcome<(Self, Vec<Measured>)> {
        let (client, wrk, directory) = (&bench.client, &bench.wrk, bench.directory.path());
        let needs_rivals = scenarios.iter().any(|scenario| scenario.has_rivals);
        let nginx = if needs_rivals { Some(Nginx::start(directory, proxy.address)?) } else { None };
        let (mut measured, mut answers) = (Vec::new(), Vec::new());
        for scenario in scenarios {
            let reply = client.get(proxy.address, &scenario.targets[0], &scenario.headers)?;
            if reply.status != scenario.status {
                return Err(format!("{}: the proxy answered {}", scenario.title, reply.status).into());
            }
            if let Some(nginx) = nginx.as_ref().filter(|_| scenario.has_rivals) {
                let unconditional: Vec<_> =
                    scenario.headers.iter().filter(|(name, _)| name != "If-None-Match").cloned().collect();
                for target in &scenario.targets {
                    nginx.warm(client, target, &unconditional)?;
                }
            }
            let port = free_port()?;
            if scenario.has_rivals {
                answers.push(Answer::of(&reply, port, scenario.protocol == Protocol::Http2, directory)?);
            }
            let file = (1 < scenario.targets.len()).then(|| directory.join(format!("{}.targets", scenario.name)));
            if let Some(file) = &file {
                std::fs::write(file, scenario.targets.join("\n"))?;
            }
            let bare = SocketAddr::from(([127, 0, 0, 1], port));
            let (bytes, runs) = (reply.body.len(), BTreeMap::new());
            measured.push(Measured { scenario, bytes, runs, file, bare, asked: 0 });
        }
        let rivals = match nginx {
            Some(nginx) => Some((nginx, Bare::start(directory, &answers)?)),
            None => None,
        };
        let field = Self { client, wrk, proxy, rivals };
        measured.iter().try_for_each(|measured| field.compare(measured))?;
        Ok((field, measured))
    }

    /// Makes sure that all give the same answer.
    fn compare(&self, measured: &Measured) -> Outcome<()> {
        let Measured { scenario, bytes, .. } = measured;
        if scenario.protocol == Protocol::Http2 {
            return Ok(());
        }
        for server in Self::servers(scenario) {
            let (_, address) = self.find(server, measured);
            let reply = self.client.get(address, &scenario.targets[0], &scenario.headers)?;
            if (reply.status, reply.body.len()) != (scenario.status, *bytes) {
                let (status, length) = (reply.status, reply.body.len());
                let expected = format!("{} with {bytes} bytes", scenario.status);
                let title = &scenario.title;
                return Err(format!("{title}: {server:?} answers {status} with {length} bytes, not {expected}").into());
            }
        }
        Ok(())
    }

    fn servers(scenario: &Scenario) -> Vec<Server> {
        let all = [Server::Proxy, Server::Nginx, Server::Bare];
        all[..if scenario.has_rivals { 3 } else { 1 }].to_vec()
    }

    /// The process and the address of a server.
    fn find(&self, server: Server, measured: &Measured) -> (u32, SocketAddr) {
        let is_http2 = measured.scenario.protocol == Protocol::Http2;
        match (server, &self.rivals) {
            (Server::Nginx, Some((nginx, _))) => (nginx.id(), if is_http2 { nginx.http2 } else { nginx.plain }),
            (Server::Bare, Some((_, bare))) => (bare.id(), measured.bare),
            _ => (self.proxy.id(), self.proxy.address),
        }
    }

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
                    let run = self.run_until_clean(server, measured, arguments)?;
                    measured.runs.entry(server).or_default().push(run);
                }
            }
        }
        Ok(())
    }

    /// The run with the least that others did, if none is clean.
    fn run_until_clean(&self, server: Server, measured: &mut Measured, arguments: &Arguments) -> Outcome<Run> {
        let mut best: Option<Run> = None;
        for _ in 0..if arguments.is_quick() { 1 } else { ATTEMPTS } {
            let run = self.run_once(server, measured, arguments.seconds())?;
            if best.as_ref().is_none_or(|best| run.foreign < best.foreign) {
                best = Some(run);
            }
            if best.as_ref().is_some_and(Run::is_clean) {
                break;
            }
        }
        best.ok_or_else(|| "there was no run".into())
    }

    fn run_once(&self, server: Server, measured: &mut Measured, seconds: u64) -> Outcome<Run> {
        let (id, address) = self.find(server, measured);
        let Measured { scenario, file, asked, .. } = measured;
        let (window, before) = (Window::begin()?, cpu(id)?);
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
        Ok(Run { rate, cpu, latency, foreign: window.foreign()? })
    }
}
