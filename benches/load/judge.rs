//! The targets, and whether they were reached.

use std::collections::BTreeMap;

use crate::measure::Sighting;
use crate::rounds::{Measured, Run, Server};
use crate::statistics::median;

/// A target and what came of it.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) what: String,
    pub(crate) target: String,
    pub(crate) measured: String,
    /// Nothing, where it is only told.
    pub(crate) is_reached: Option<bool>,
    /// Whether others left the machine alone meanwhile.
    pub(crate) is_clean: bool,
}

impl Judgement {
    pub(crate) fn at_most(what: &str, value: f64, most: f64, unit: &str) -> Self {
        let measured = format!("{}{unit}", short(value));
        let target = format!("at most {most}{unit}");
        Self { what: what.to_owned(), target, measured, is_reached: Some(value <= most), is_clean: true }
    }

    fn at_least(what: &str, value: f64, least: f64) -> Self {
        let (measured, target) = (format!("{} ×", short(value)), format!("at least {least} ×"));
        Self { what: what.to_owned(), target, measured, is_reached: Some(least <= value), is_clean: true }
    }

    /// What is worth knowing and has no target.
    pub(crate) fn told(what: &str, measured: String) -> Self {
        Self { what: what.to_owned(), target: "–".to_owned(), measured, is_reached: None, is_clean: true }
    }

    /// The same, seen in a run that counts or not.
    pub(crate) fn seen(self, is_clean: bool) -> Self {
        Self { is_clean: self.is_clean && is_clean, ..self }
    }
}

/// A number with three digits that count.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        size if 100.0 <= size => format!("{value:.0}"),
        size if 10.0 <= size => format!("{value:.1}"),
        size if 1.0 <= size => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The median of something over the runs that are clean; over all, if none is.
pub(crate) fn typical(runs: &[Sighting<Run>], figure: impl Fn(&Run) -> Option<f64>) -> Option<Sighting<f64>> {
    let figures = |wants_clean: bool| {
        let runs = runs.iter().filter(move |run| run.is_clean || !wants_clean);
        median(runs.filter_map(|run| figure(&run.of))).map(|of| Sighting { of, is_clean: wants_clean })
    };
    figures(true).or_else(|| figures(false))
}

/// How something of one relates to that of another, round by round: the median over those rounds in which both runs
/// are clean; over all, if there is none.
pub(crate) fn ratio(
    one: &[Sighting<Run>],
    other: &[Sighting<Run>],
    figure: impl Fn(&Run) -> Option<f64>,
) -> Option<Sighting<f64>> {
    let ratios = |wants_clean: bool| {
        let pairs = one.iter().zip(other);
        let pairs = pairs.filter(move |(one, other)| one.is_clean && other.is_clean || !wants_clean);
        let ratios = pairs.filter_map(|(one, other)| Some(figure(&one.of)? / figure(&other.of)?));
        median(ratios).map(|of| Sighting { of, is_clean: wants_clean })
    };
    ratios(true).or_else(|| ratios(false))
}

#[expect(clippy::unnecessary_wraps, reason = "not every figure is always there")]
pub(crate) fn rate(run: &Run) -> Option<f64> {
    Some(run.rate)
}

#[expect(clippy::unnecessary_wraps, reason = "not every figure is always there")]
pub(crate) fn cpu(run: &Run) -> Option<f64> {
    Some(run.cpu)
}

fn p99(run: &Run) -> Option<f64> {
    run.latency.map(|[_, p99, _]| p99)
}

/// What was measured, by name.
struct Results<'a>(BTreeMap<&'a str, &'a BTreeMap<Server, Vec<Sighting<Run>>>>);

impl Results<'_> {
    fn runs(&self, name: &str, server: Server) -> &[Sighting<Run>] {
        self.0.get(name).and_then(|runs| runs.get(&server)).map_or(&[], Vec::as_slice)
    }

    /// The proxy's against another server's.
    fn against(&self, name: &str, server: Server, figure: impl Fn(&Run) -> Option<f64>) -> Option<Sighting<f64>> {
        ratio(self.runs(name, Server::Proxy), self.runs(name, server), figure)
    }

    /// The proxy's rate against its own in another scenario.
    fn among(&self, name: &str, other: &str) -> Option<Sighting<f64>> {
        ratio(self.runs(name, Server::Proxy), self.runs(other, Server::Proxy), rate)
    }
}

/// The targets of the requests that were measured.
pub(crate) fn judge(measured: &[Measured]) -> Vec<Judgement> {
    let results = Results(measured.iter().map(|measured| (measured.scenario.name, &measured.runs)).collect());
    let mut judged = Vec::new();
    let mut least = |what: &str, value: Option<Sighting<f64>>, least| {
        judged.extend(value.map(|value| Judgement::at_least(what, value.of, least).seen(value.is_clean)));
    };
    let against = |name, server| results.against(name, server, rate);
    least("one version, rate against nginx", against("version", Server::Nginx), 1.2);
    least("VS Code's page, identity, rate against nginx", against("vscode-identity", Server::Nginx), 0.9);
    for (coding, name) in [("gzip", "vscode-gzip"), ("br", "vscode-br"), ("zstd", "vscode-zstd")] {
        let what = |what: &str| format!("VS Code's page, {coding}, rate against {what}");
        least(&what("nginx"), against(name, Server::Nginx), 1.2);
        least(&what("our own identity"), results.among(name, "vscode-identity"), 2.0);
        least(&what("bare hyper"), against(name, Server::Bare), 0.9);
    }
    least("VS Code's page, identity, rate against bare hyper", against("vscode-identity", Server::Bare), 0.9);
    least("one version, rate against bare hyper", against("version", Server::Bare), 0.9);
    least("304, rate against the 1 KB answer", results.among("not-modified", "version"), 0.95);
    least("HTTP/2, 1 KB, rate against nginx", against("http2-version", Server::Nginx), 1.3);
    least("HTTP/2, 48 KB, rate against nginx", against("http2-vscode", Server::Nginx), 1.3);
    least("a new page each time, rate against cached identity", results.among("deep-new", "vscode-identity"), 0.6);
    judged.extend(judge_costs(&results));
    judged.extend(tell_searches(&results));
    judged
}

fn judge_costs(results: &Results<'_>) -> Vec<Judgement> {
    let mut judged = Vec::new();
    let mut most = |what: &str, value: Option<Sighting<f64>>, most, unit| {
        judged.extend(value.map(|value| Judgement::at_most(what, value.of, most, unit).seen(value.is_clean)));
    };
    let costs = |name| results.against(name, Server::Nginx, cpu);
    most("one version, CPU per request against nginx", costs("version"), 0.72, " ×");
    for (coding, name) in [("gzip", "vscode-gzip"), ("br", "vscode-br"), ("zstd", "vscode-zstd")] {
        most(&format!("VS Code's page, {coding}, CPU per request against nginx"), costs(name), 0.75, " ×");
    }
    let tail = results.against("vscode-identity", Server::Nginx, p99);
    most("VS Code's page, identity, p99 against nginx", tail, 1.0, " ×");
    judged
}

/// What a client sees of new searches: how long it waits for its turn on the same cores is in it.
fn tell_searches(results: &Results<'_>) -> Vec<Judgement> {
    let mut told = Vec::new();
    for (name, hits) in
        [("search-none-single", "no hit"), ("search-few-single", "few hits"), ("search-many-single", "10,000 hits")]
    {
        let runs = results.runs(name, Server::Proxy);
        let of = |at: usize| typical(runs, |run| run.latency.map(|latency| latency[at] / 1e3));
        let (Some(median), Some(tail)) = (of(0), of(1)) else { continue };
        let times = format!("p50 {} ms, p99 {} ms", short(median.of), short(tail.of));
        let what = format!("a new search, {hits}, as its client sees it");
        told.push(Judgement::told(&what, times).seen(median.is_clean && tail.is_clean));
    }
    told
}
