//! Everything, in its order.

use tempfile::TempDir;

use crate::arguments::Arguments;
use crate::client::Client;
use crate::control::Control;
use crate::field::Field;
use crate::judge::{Judgement, judge};
use crate::proxy::Proxy;
use crate::rounds::Measured;
use crate::sample::Sample;
use crate::wrk::Wrk;
use crate::{Outcome, idle, processes, refreshes, release, report, scenarios, server_time, stop, upkeep};

/// What is measured besides requests, on registries of either size.
const UPKEEP: [&str; 2] = ["memory", "warm-start"];
/// The same, only on one of today's size.
const REFRESHES: [&str; 3] = ["increment", "walk", "refresh-p99"];
/// What is asked once on each connection that then stays idle: something short.
const FIRST_VERSION: &str = "/v0.1/servers?limit=1";

/// What everything shares. The registry goes before the directory.
pub(crate) struct Bench<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) client: Client,
    pub(crate) wrk: Wrk,
    pub(crate) sample: Sample,
    pub(crate) registry: Control,
    pub(crate) directory: TempDir,
}

/// Measures what is wanted, and prints it.
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    stop::listen()?;
    processes::require("wrk", "wrk")?;
    processes::require("nginx", "nginx")?;
    processes::require("h2load", "nghttp2-client")?;
    release::build()?;
    let directory = tempfile::tempdir()?;
    let (client, wrk) = (Client::new()?, Wrk::new(directory.path())?);
    eprintln!("making up a registry of {} versions", arguments.size().versions);
    let sample = Sample::new(arguments.size());
    let registry = Control::start(arguments.tenfold)?;
    let bench = Bench { arguments, client, wrk, sample, registry, directory };
    let (measured, judged) = bench.measure()?;
    report::print(arguments, &measured, &judged);
    Ok(())
}

impl Bench<'_> {
    fn measure(&self) -> Outcome<(Vec<Measured>, Vec<Judgement>)> {
        let wants_any = |names: &[&str]| names.iter().any(|name| self.arguments.wants(name));
        let (mut proxy, mut costs) = upkeep::first_walk(self)?;
        if wants_any(&UPKEEP) {
            let (restarted, judged) = upkeep::warm_starts(self, proxy)?;
            proxy = restarted;
            costs.extend(judged);
        }
        let (measured, bare) = self.measure_requests(&proxy)?;
        if self.arguments.wants("idle") && !self.arguments.tenfold {
            eprintln!("idle connections");
            // What requests have left behind shall not count.
            (proxy, _) = proxy.restart(&self.client)?;
            costs.extend(idle::judge(idle::cost(proxy.id(), proxy.address, FIRST_VERSION)?, bare));
        }
        proxy.stop()?;
        if wants_any(&REFRESHES) && !self.arguments.tenfold {
            costs.extend(refreshes::measure(self)?);
        }
        let mut judged = judge(&measured);
        judged.extend(server_time::measure(self)?);
        judged.append(&mut costs);
        Ok((measured, judged))
    }

    /// All requests, and what an idle connection of bare hyper takes.
    fn measure_requests(&self, proxy: &Proxy) -> Outcome<(Vec<Measured>, Option<f64>)> {
        let wanted = |name: &str| self.arguments.wants(name);
        eprintln!("looking for what to ask");
        let scenarios = if self.arguments.tenfold {
            scenarios::searches(&self.sample, &wanted)
        } else {
            scenarios::of_today(&self.client, proxy.address, &self.sample, wanted)?
        };
        let (field, mut measured) = Field::prepare(self, proxy, scenarios)?;
        field.run(&mut measured, self.arguments)?;
        let bare = if wanted("idle") { field.idle_of_bare(&measured)? } else { None };
        Ok((measured, bare))
    }
}
