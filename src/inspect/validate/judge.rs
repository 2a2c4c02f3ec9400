//! The verdict on a configured server that the catalog lists: which name, which version, and whether it is to be run and
//! reached as it is configured.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use super::lookup::{Key, Lookup};
use super::package::Package;
use super::pin::Pin;
use super::records::{ListedPackage, ListedRemote, Record};
use super::report::{Found, Judged, Report, Verdict};
use super::{Configured, near};
use crate::catalog::entry::Status;
use crate::catalog::version::Rank;
use crate::catalog::{Catalog, Contribution, Participant, Server, Standing, Version};

/// The most names that an answer gives for one server.
pub(super) const MAX_NAMES: usize = 16;

impl Lookup {
    /// The verdict on each configured server, by the catalog that this was made of. Takes some microseconds each, and some milliseconds for one that is not
    /// listed.
    #[must_use]
    pub fn validate(&self, catalog: &Catalog, configured: &[Configured]) -> Report {
        let mut judge = Judge { catalog, lookup: self, records: HashMap::new(), unserved: HashMap::new() };
        Report::new(configured.iter().map(|configured| judge.judge(configured).completed(configured)).collect())
    }
}

/// A judge, who remembers what was read for those before.
pub(super) struct Judge<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) lookup: &'a Lookup,
    /// The records of each version of a server, by its name.
    records: HashMap<&'a str, Arc<[Record]>>,
    /// Those of what a registry lists under a name and is not served, by the name and the registry's position.
    unserved: HashMap<(&'a str, usize), Arc<[Record]>>,
}

/// One thing that is configured: a package or a URL.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    Package(&'a Package),
    Url(&'a str),
}

/// What a version lists for a target.
enum Listed<'a> {
    Package(&'a ListedPackage),
    Remote(&'a ListedRemote),
}

impl Listed<'_> {
    fn transport(&self) -> &str {
        match self {
            Self::Package(listed) => &listed.transport,
            Self::Remote(listed) => &listed.transport,
        }
    }

    fn secrets(&self) -> &[String] {
        match self {
            Self::Package(listed) => &listed.secrets,
            Self::Remote(listed) => &listed.secrets,
        }
    }

    fn host(&self) -> Option<&str> {
        match self {
            Self::Package(listed) => listed.host.as_deref(),
            Self::Remote(_) => None,
        }
    }
}

impl Target<'_> {
    /// What a version lists for it, whatever the version of the package.
    fn listed(self, record: &Record) -> Vec<Listed<'_>> {
        match self {
            Self::Package(package) => {
                let same = |listed: &&ListedPackage| {
                    listed.package.kind == package.kind && listed.package.identifier == package.identifier
                };
                record.packages.iter().filter(same).map(Listed::Package).collect()
            }
            Self::Url(url) => record.remotes.iter().filter(|remote| remote.is_at(url)).map(Listed::Remote).collect(),
        }
    }

    /// The same, in a version that is accepted. A listed package without a version is there in every one.
    fn accepted(self, record: &Record) -> Vec<Listed<'_>> {
        let mut listed = self.listed(record);
        if let Self::Package(package) = self {
            let pin = Pin::of(package);
            listed.retain(|listed| match listed {
                Listed::Package(listed) => match listed.package.version.as_deref() {
                    Some(version) => pin.accepts(package.kind, version),
                    None => true,
                },
                Listed::Remote(_) => true,
            });
        }
        listed
    }

    pub(super) fn is_in(self, record: &Record) -> bool {
        !self.listed(record).is_empty()
    }

    pub(super) fn with_key<T>(self, ask: impl FnOnce(&Key<'_>) -> T) -> T {
        match self {
            Self::Package(package) => ask(&Key::Package(&package.key())),
            Self::Url(url) => ask(&Key::Url(url)),
        }
    }

    /// What it is called in evidence.
    pub(super) fn describe(self) -> String {
        match self {
            Self::Package(package) => match &package.version {
                Some(version) => format!("{} {version}", package.key()),
                None => package.key(),
            },
            Self::Url(url) => url.to_owned(),
        }
    }
}

pub(super) fn targets(configured: &Configured) -> Vec<Target<'_>> {
    let packages = configured.reduced.packages.iter().map(Target::Package);
    packages.chain(configured.reduced.urls.iter().map(|url| Target::Url(url))).collect()
}

impl<'a> Judge<'a> {
    fn judge(&mut self, configured: &Configured) -> Judged {
        let catalog = self.catalog;
        let name = configured.reduced.name.as_deref();
        let named = name.and_then(|name| catalog.server(name)).filter(|server| !server.versions.is_empty());
        let targets = targets(configured);
        if targets.is_empty() {
            return match (named, name) {
                (_, None) => Judged::new(configured, Verdict::Unknown).with("It has no name, no package and no URL."),
                (Some(server), _) => self.judge_one(configured, server, &targets),
                (None, _) => near::judge(self, configured, &targets, &[]),
            };
        }
        if let Some(server) = named {
            return self.judge_one(configured, server, &targets);
        }
        let mut servers: Vec<&'a Server> = Vec::new();
        for target in &targets {
            for server in target.with_key(|key| self.lookup.servers(self.catalog, key)) {
                let is_new = !servers.iter().any(|known| known.name == server.name);
                if is_new && self.records(server).iter().any(|record| target.is_in(record)) {
                    servers.push(server);
                }
            }
        }
        self.keep_current(&mut servers, &targets);
        match servers.as_slice() {
            // A package makes nobody the server whose name it has not: another name may say anything of it.
            owners if owners.is_empty() || configured.name_that_counts().is_some() => {
                near::judge(self, configured, &targets, owners)
            }
            [server] => self.judge_one(configured, server, &targets),
            several => {
                let what: Vec<String> = targets.iter().map(|target| target.describe()).collect();
                let mut judged = Judged::new(configured, Verdict::Ambiguous).with(format!(
                    "{} is listed under {} names.",
                    what.join(", "),
                    several.len()
                ));
                judged.candidates = several.iter().take(MAX_NAMES).map(|server| server.name.to_string()).collect();
                judged
            }
        }
    }

    /// Of several names, those whose latest version still has it, and is not deleted.
    fn keep_current(&mut self, servers: &mut Vec<&'a Server>, targets: &[Target<'_>]) {
        let is_current = |judge: &mut Self, server: &'a Server| {
            let records = judge.records(server);
            let latest = server.versions.iter().zip(records.iter()).find(|(version, _)| version.is_latest);
            latest.is_some_and(|(version, record)| {
                !version.entry.is_deleted() && targets.iter().any(|target| target.is_in(record))
            })
        };
        let current: Vec<&Server> = servers.iter().copied().filter(|server| is_current(self, server)).collect();
        if !current.is_empty() {
            *servers = current;
        }
    }

    /// What each version of a server says of how it is run and reached.
    pub(super) fn records(&mut self, server: &'a Server) -> Arc<[Record]> {
        let read = || server.versions.iter().map(|version| Record::of(&version.entry)).collect();
        Arc::clone(self.records.entry(server.name.as_str()).or_insert_with(read))
    }

    /// The same of what one registry lists under the name.
    pub(super) fn contributed(&mut self, server: &'a Server, contribution: &Contribution) -> Arc<[Record]> {
        let read = || contribution.listed.entries.iter().map(|entry| Record::of(entry)).collect();
        Arc::clone(self.unserved.entry((server.name.as_str(), contribution.registry)).or_insert_with(read))
    }

    /// The registries that cannot be used, and list what is configured under this name; with those that may supply the
    /// name and have not said all that they list, where only the version is missing.
    fn withheld(
        &mut self,
        configured: &Configured,
        server: &'a Server,
        targets: &[Target<'_>],
        is_version_alone: bool,
    ) -> Vec<&'a str> {
        let registries = &self.catalog.registries;
        let wanted = configured.reduced.version.as_deref();
        let withheld = server.contributions.iter().filter(|contribution| contribution.standing == Standing::Withheld);
        let having = withheld.filter(|contribution| {
            let records = self.contributed(server, contribution);
            contribution.listed.entries.iter().zip(records.iter()).any(|(entry, record)| {
                wanted.is_none_or(|wanted| entry.version() == wanted)
                    && targets.iter().all(|target| !target.accepted(record).is_empty())
            })
        });
        let having: Vec<usize> = having.map(|contribution| contribution.registry).collect();
        let may_have = |at: usize, registry: &Participant| {
            having.contains(&at)
                || is_version_alone
                    && !registry.is_whole
                    && near::may_supply(self.catalog, registry, Some(server.name.as_str()))
        };
        let found = registries.iter().enumerate().filter(|(at, registry)| may_have(*at, registry));
        found.map(|(_, registry)| &*registry.rules.name).collect()
    }

    /// The verdict where it is known which name it is.
    fn judge_one(&mut self, configured: &Configured, server: &'a Server, targets: &[Target<'_>]) -> Judged {
        let records = self.records(server);
        let wanted = configured.reduced.version.as_deref();
        let has_version = |version: &Version| wanted.is_none_or(|wanted| version.entry.version() == wanted);
        let versions = || server.versions.iter().zip(records.iter());
        let accepted = versions().filter(|(version, record)| {
            has_version(version) && targets.iter().all(|target| !target.accepted(record).is_empty())
        });
        if let Some((version, record)) = best(accepted) {
            return judge_version(configured, server, version, record, targets);
        }
        let missing: Vec<String> = targets
            .iter()
            .filter(|target| !records.iter().any(|record| target.is_in(record)))
            .map(|target| target.describe())
            .collect();
        let listed = versions().filter(|(_, record)| targets.iter().any(|target| target.is_in(record)));
        let shown = best(listed).or_else(|| best(versions()));
        let what: Vec<String> = targets.iter().map(|target| target.describe()).collect();
        let what = if what.is_empty() { "That version".to_owned() } else { what.join(", ") };
        let elsewhere = self.withheld(configured, server, targets, missing.is_empty());
        let (verdict, evidence) = if !elsewhere.is_empty() {
            let evidence = format!(
                "{what} is not among the versions of {} that are served, and may be listed by {}, which cannot be used \
                 at the moment.",
                server.name,
                elsewhere.join(", ")
            );
            (Verdict::Unverified, evidence)
        } else if missing.is_empty() {
            (Verdict::UnlistedVersion, format!("{what} is not among the versions of {}.", server.name))
        } else {
            (Verdict::WrongSource, format!("{} does not list {}.", server.name, missing.join(", ")))
        };
        let judged = Judged::new(configured, verdict).with(evidence);
        shown.map_or_else(
            || judged.clone(),
            |(version, record)| described(judged.clone(), server, version, record, targets),
        )
    }
}

/// The verdict where it is known which version it is.
fn judge_version(
    configured: &Configured,
    server: &Server,
    version: &Version,
    record: &Record,
    targets: &[Target<'_>],
) -> Judged {
    let mut judged = described(Judged::new(configured, Verdict::Known), server, version, record, targets);
    let (name, number) = (&server.name, version.entry.version());
    for target in targets {
        judged.evidence.push(format!("{name} {number} lists {}.", target.describe()));
    }
    if targets.is_empty() {
        judged.evidence.push(format!("{name} {number} is listed."));
    }
    let other = targets.iter().find_map(|target| other_transport(configured, *target, record));
    judged.verdict = match version.entry.status() {
        Status::Deleted => Verdict::Deleted,
        _ if other.is_some() => Verdict::WrongSource,
        Status::Deprecated => Verdict::Deprecated,
        _ if !version.is_latest => Verdict::Outdated,
        _ => Verdict::Known,
    };
    if !version.is_latest {
        let latest = judged.latest.as_deref().unwrap_or_default();
        judged.evidence.push(format!("The latest version of {name} is {latest}."));
    }
    judged.evidence.extend(other);
    judged
}

/// The latest of some versions; else the one that is not deleted and greatest.
fn best<'a, 'r>(versions: impl Iterator<Item = (&'a Version, &'r Record)>) -> Option<(&'a Version, &'r Record)> {
    versions.min_by_key(|(version, _)| {
        let rank = Rank::new(version.entry.version(), version.entry.published_at());
        (!version.is_latest, version.entry.is_deleted(), Reverse(rank))
    })
}

/// Whether a version is run or reached over another transport than is configured.
fn other_transport(configured: &Configured, target: Target<'_>, record: &Record) -> Option<String> {
    // What a client runs it speaks to over its input and output, unless it says otherwise.
    let runs = matches!(target, Target::Package(_)) && configured.reduced.runner.is_some();
    let transport = configured.reduced.transport.as_deref().or_else(|| runs.then_some("stdio"))?;
    let listed = target.accepted(record);
    let transports: Vec<&str> = listed.iter().map(Listed::transport).collect();
    let is_other = !transports.is_empty() && !transports.contains(&transport);
    is_other
        .then(|| format!("It is configured with the transport {transport}, and listed with {}.", transports.join(", ")))
}

/// Says of a verdict which version of the catalog it is about.
pub(super) fn described(
    judged: Judged,
    server: &Server,
    version: &Version,
    record: &Record,
    targets: &[Target<'_>],
) -> Judged {
    let listed: Vec<Listed<'_>> =
        targets.iter().filter_map(|target| target.listed(record).into_iter().next()).collect();
    let found = Found {
        name: server.name.to_string(),
        version: version.entry.version().to_owned(),
        status: version.entry.status().as_str().to_owned(),
        required_secrets: listed.iter().flat_map(|listed| listed.secrets().iter().cloned()).collect(),
        package_host: listed.iter().find_map(|listed| listed.host().map(str::to_owned)),
    };
    let latest = server.latest().map(|latest| latest.entry.version().to_owned());
    Judged { server: Some(found), latest, provenance: Some(version.provenance()), ..judged }
}
