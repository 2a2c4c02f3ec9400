//! Everybody who is asked: the proxy, and those that it is compared with, each with the same answers ready.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use http::HeaderMap;

use crate::Outcome;
use crate::answers::Answer;
use crate::bare::Bare;
use crate::client::{Client, Reply};
use crate::nginx::Nginx;
use crate::processes::free_port;
use crate::proxy::Proxy;
use crate::rounds::{Measured, Server};
use crate::run::Bench;
use crate::scenarios::Scenario;
use crate::server::Protocol;
use crate::wrk::Wrk;

/// All that is running.
#[derive(Debug)]
pub(crate) struct Field<'a> {
    pub(crate) client: &'a Client,
    pub(crate) wrk: &'a Wrk,
    pub(crate) proxy: &'a Proxy,
    pub(crate) rivals: Option<(Nginx, Bare)>,
}

/// How often a page is asked for before it is surely kept: pages in the middle of a walk are, once they are asked for a
/// second time.
const ASKS: usize = 2;

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
            let reply = cached(client, proxy, &scenario)?;
            if reply.status != scenario.status {
                return Err(format!("{}: the proxy answered {}", scenario.title, reply.status).into());
            }
            if let Some(nginx) = nginx.as_ref().filter(|_| scenario.has_rivals) {
                let unconditional: Vec<_> =
                    scenario.headers.iter().filter(|(name, _)| name != "If-None-Match").cloned().collect();
                for target in &scenario.targets {
                    // So that nginx keeps the head of a cached answer, not that of one that was rendered.
                    for _ in 0..ASKS {
                        client.get(proxy.address, target, &unconditional)?;
                    }
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
        let expected = cached(self.client, self.proxy, scenario)?;
        for server in Self::servers(scenario) {
            let (_, address) = self.find(server, measured);
            let reply = self.client.get(address, &scenario.targets[0], &scenario.headers)?;
            if (reply.status, reply.body.len()) != (scenario.status, *bytes) {
                let (status, length) = (reply.status, reply.body.len());
                let expected = format!("{} with {bytes} bytes", scenario.status);
                let title = &scenario.title;
                return Err(format!("{title}: {server:?} answers {status} with {length} bytes, not {expected}").into());
            }
            if server == Server::Bare && size(&reply.headers) != size(&expected.headers) {
                let headers = (&reply.headers, &expected.headers);
                return Err(format!("{}: bare hyper's headers are not the proxy's: {headers:?}", scenario.title).into());
            }
        }
        Ok(())
    }

    pub(crate) fn servers(scenario: &Scenario) -> Vec<Server> {
        let all = [Server::Proxy, Server::Nginx, Server::Bare];
        all[..if scenario.has_rivals { 3 } else { 1 }].to_vec()
    }

    /// The process and the address of a server.
    pub(crate) fn find(&self, server: Server, measured: &Measured) -> (u32, SocketAddr) {
        let is_http2 = measured.scenario.protocol == Protocol::Http2;
        match (server, &self.rivals) {
            (Server::Nginx, Some((nginx, _))) => (nginx.id(), if is_http2 { nginx.http2 } else { nginx.plain }),
            (Server::Bare, Some((_, bare))) => (bare.id(), measured.bare),
            _ => (self.proxy.id(), self.proxy.address),
        }
    }
}

/// What the proxy answers to the first of a scenario's requests once it has the answer ready.
fn cached(client: &Client, proxy: &Proxy, scenario: &Scenario) -> Outcome<Reply> {
    for _ in 0..ASKS {
        client.get(proxy.address, &scenario.targets[0], &scenario.headers)?;
    }
    client.get(proxy.address, &scenario.targets[0], &scenario.headers)
}

/// How many headers there are, and how long they are together.
fn size(headers: &HeaderMap) -> (usize, usize) {
    (headers.len(), headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum())
}
