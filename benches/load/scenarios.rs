//! What is asked for, and how.

use std::net::SocketAddr;

use crate::client::Client;
use crate::proxy::FIRST_PAGE;
use crate::requests::{DeepPages, about_one_kib, versions};
use crate::sample::{Sample, path};
use crate::server::Protocol;
use crate::{Outcome, terms};

/// Connections of a load; what one request takes by itself is measured with one.
const CONNECTIONS: u32 = 64;

/// One kind of request.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// In words.
    pub(crate) title: String,
    /// What is asked for in turn.
    pub(crate) targets: Vec<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) status: u16,
    pub(crate) protocol: Protocol,
    pub(crate) connections: u32,
    /// Whether nginx and bare hyper are asked too. They have nothing to set against what is new each time.
    pub(crate) has_rivals: bool,
}

impl Scenario {
    fn new(name: &'static str, title: &str, targets: Vec<String>, coding: &str) -> Self {
        Self {
            name,
            title: title.to_owned(),
            targets,
            headers: vec![("Accept-Encoding".to_owned(), coding.to_owned())],
            status: 200,
            protocol: Protocol::Http1,
            connections: CONNECTIONS,
            has_rivals: true,
        }
    }

    fn one(name: &'static str, title: &str, target: &str, coding: &str) -> Self {
        Self::new(name, title, vec![target.to_owned()], coding)
    }

    fn http2(self) -> Self {
        Self { protocol: Protocol::Http2, ..self }
    }

    /// By itself: the proxy alone.
    fn alone(self) -> Self {
        Self { has_rivals: false, ..self }
    }

    /// Asks with the tag that the answer has.
    fn not_modified(mut self, client: &Client, proxy: SocketAddr) -> Outcome<Self> {
        let tag = client.get(proxy, &self.targets[0], &self.headers)?.header("etag").to_owned();
        self.headers.push(("If-None-Match".to_owned(), tag));
        Ok(Self { status: 304, ..self })
    }
}

/// The kinds of requests that are wanted, on a registry of today's size.
pub(crate) fn of_today(
    client: &Client,
    proxy: SocketAddr,
    sample: &Sample,
    wants: impl Fn(&str) -> bool,
) -> Outcome<Vec<Scenario>> {
    let known = about_one_kib(client, proxy, sample)?;
    let (version, latest) = (path(known, &known.version), path(known, "latest"));
    let one = |name, title: &str, target: &str| Scenario::one(name, title, target, "identity");
    let vs_code = |name, coding| Scenario::one(name, &format!("VS Code's page, {coding}"), FIRST_PAGE, coding);
    let search = "/v0.1/servers?search=cloud&version=latest";
    let page = |name, limit: usize, coding: &str| {
        let title = format!("first page of {limit}, {coding}");
        Scenario::one(name, &title, &format!("/v0.1/servers?limit={limit}"), coding)
    };
    let missing = Scenario { status: 404, ..one("missing", "404", "/v0.1/servers/com.example%2Fnone/versions/latest") };
    let mut scenarios = vec![
        one("version", "one version, 1 KB", &version),
        one("not-modified", "304 of that version", &version).not_modified(client, proxy)?,
        vs_code("vscode-identity", "identity"),
        vs_code("vscode-gzip", "gzip"),
        vs_code("vscode-br", "br"),
        vs_code("vscode-zstd", "zstd"),
        vs_code("vscode-not-modified", "identity").not_modified(client, proxy)?.titled("304 of VS Code's page"),
        page("first-30-identity", 30, "identity"),
        page("first-30-gzip", 30, "gzip"),
        page("first-100-identity", 100, "identity"),
        page("first-100-gzip", 100, "gzip"),
        Scenario::new("versions", "a version of each of 500 names", versions(sample), "identity"),
        one("latest", "`latest` of one name", &latest),
        one("search-cached", "a search that is cached", search),
        missing,
        one("http2-version", "HTTP/2: one version, 1 KB", &version).http2(),
        Scenario::one("http2-vscode", "HTTP/2: VS Code's page, identity", FIRST_PAGE, "identity").http2(),
    ];
    scenarios.retain(|scenario| wants(scenario.name));
    if wants("deep-cached") || wants("deep-new") {
        let pages = DeepPages::collect(client, proxy)?;
        let deep = |name, title, targets| Scenario::new(name, title, targets, "identity");
        scenarios.push(deep("deep-cached", "100 deep pages of 50, identity", pages.few()));
        scenarios.push(deep("deep-new", "a new deep page each time, identity", pages.many()).alone());
    }
    scenarios.extend(searches(sample, &wants));
    scenarios.retain(|scenario| wants(scenario.name));
    Ok(scenarios)
}

/// Makes what is asked for.
type Targets = fn(&Sample) -> Vec<String>;

/// The kinds of searches: their names under load and one at a time, what they find, and what is asked for.
const SEARCHES: [(&str, &str, &str, Targets); 3] = [
    ("search-none", "search-none-single", "no hit", |_| terms::without_hits()),
    ("search-few", "search-few-single", "few hits", terms::with_few_hits),
    ("search-many", "search-many-single", "10,000 hits", terms::with_many_hits),
];

/// What searches are asked for that are measured one at a time, by what they find.
pub(crate) fn search_terms(sample: &Sample, wants: &impl Fn(&str) -> bool) -> Vec<(&'static str, Vec<String>)> {
    let wanted = SEARCHES.into_iter().filter(|(_, single, ..)| wants(single));
    wanted.map(|(_, _, what, targets)| (what, targets(sample))).collect()
}

/// Searches that nobody has asked for before: under load, and one at a time, which shows how long each takes.
pub(crate) fn searches(sample: &Sample, wants: &impl Fn(&str) -> bool) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for (name, single, what, targets) in SEARCHES {
        if !wants(name) && !wants(single) {
            continue;
        }
        let (targets, title) = (targets(sample), format!("a new search each time, {what}"));
        let load = Scenario::new(name, &title, targets.clone(), "identity").alone();
        let one = Scenario::new(single, &format!("{title}, one at a time"), targets, "identity").alone();
        scenarios.extend([load, Scenario { connections: 1, ..one }]);
    }
    scenarios.retain(|scenario| wants(scenario.name));
    scenarios
}

impl Scenario {
    fn titled(self, title: &str) -> Self {
        Self { title: title.to_owned(), ..self }
    }
}
