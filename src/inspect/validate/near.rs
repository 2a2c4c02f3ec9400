//! The verdict on a configured server that the catalog does not list: whether a registry that cannot be used has it,
//! whether it is listed at another host, whether it may be taken for a listed one.

use super::address;
use super::judge::{Judge, Target, described};
use super::lookup::{Key, Lookup, identifier};
use super::records::Record;
use super::report::{Judged, Verdict};
use super::{Configured, Package};
use crate::catalog::rules::Omission;
use crate::catalog::{Catalog, Participant, Server, Standing};
use crate::inspect::likeness::Likeness;

/// The verdict. `owners` are the servers that list what is configured under other names than its own.
pub(super) fn judge(
    judge: &mut Judge<'_>,
    configured: &Configured,
    targets: &[Target<'_>],
    owners: &[&Server],
) -> Judged {
    if targets.iter().all(|target| matches!(target, Target::Url(url) if address::is_local(url))) && !targets.is_empty()
    {
        return Judged::new(configured, Verdict::Unknown).with("It leads to this machine, of which no registry knows.");
    }
    let (withheld, refused) = held_back(judge, configured, targets);
    if !withheld.is_empty() {
        let evidence = format!("Listed by {}, which cannot be used at the moment.", withheld.join(", "));
        return Judged::new(configured, Verdict::Unverified).with(evidence);
    }
    let missing = missing(judge.catalog, configured.name_that_counts());
    let judged = if owners.is_empty() {
        elsewhere(judge, configured, targets).or_else(|| alike(judge, configured, targets))
    } else {
        let owned = owned(configured, targets, owners);
        let judged = alike_by_name(judge, configured).map(|judged| judged.with(owned.evidence.join(" ")));
        Some(judged.unwrap_or(owned))
    };
    let mut judged = judged.unwrap_or_else(|| unlisted(configured, targets, &missing));
    // Who cannot be asked may list it just so.
    if !missing.is_empty() && (judged.verdict == Verdict::LookAlike || !owners.is_empty()) {
        judged.verdict = Verdict::Unverified;
        let registries = missing.join(", ");
        judged = judged.with(format!("It may be listed by {registries}, which cannot be used at the moment."));
    }
    judged.evidence.extend(refused);
    judged
}

/// A `server.json` whose name nobody lists, and whose package or URL others do.
fn owned(configured: &Configured, targets: &[Target<'_>], owners: &[&Server]) -> Judged {
    let names: Vec<String> =
        owners.iter().take(super::judge::MAX_NAMES).map(|server| server.name.to_string()).collect();
    let what: Vec<String> = targets.iter().map(|target| target.describe()).collect();
    let name = configured.reduced.name.as_deref().unwrap_or_default();
    let evidence = format!("{name} is listed by no registry, and {} is of {}.", what.join(", "), names.join(", "));
    let mut judged = Judged::new(configured, Verdict::WrongSource).with(evidence);
    judged.candidates = names;
    judged
}

/// Whether the rules let a registry supply a name; all names where none is given.
pub(super) fn may_supply(catalog: &Catalog, registry: &Participant, name: Option<&str>) -> bool {
    name.is_none_or(|name| {
        let is_claimed = catalog.claimants(name).next().is_some();
        registry.rules.omission(name, is_claimed).is_none()
    })
}

/// The registries that may list it, and cannot be used or have not said all that they list.
fn missing<'c>(catalog: &'c Catalog, name: Option<&str>) -> Vec<&'c str> {
    let missing = catalog.registries.iter().filter(|registry| !registry.usable || !registry.is_whole);
    missing.filter(|registry| may_supply(catalog, registry, name)).map(|registry| &*registry.rules.name).collect()
}

/// The registries that list it and cannot be used, and what is said of those that may not supply it.
fn held_back(judge: &mut Judge<'_>, configured: &Configured, targets: &[Target<'_>]) -> (Vec<String>, Vec<String>) {
    let Judge { catalog, lookup, .. } = *judge;
    let registries = &catalog.registries;
    let (mut withheld, mut refused) = (Vec::new(), Vec::new());
    let mut found: Vec<(&Server, Option<Target<'_>>)> = Vec::new();
    match configured.name_that_counts() {
        Some(name) => found.extend(catalog.server(name).map(|server| (server, None))),
        None => {
            for target in targets {
                let servers = target.with_key(|key| lookup.servers(catalog, key));
                found.extend(servers.into_iter().map(|server| (server, Some(*target))));
            }
        }
    }
    for (server, target) in found {
        for contribution in &server.contributions {
            let registry = registries.get(contribution.registry).map_or("", |registry| &registry.rules.name);
            let mut has_it = || {
                target.is_none_or(|target| {
                    judge.contributed(server, contribution).iter().any(|record| target.is_in(record))
                })
            };
            match contribution.standing {
                Standing::Withheld if has_it() => withheld.push(registry.to_owned()),
                Standing::LeftOut(Omission::OwnedElsewhere) if has_it() => refused.push(format!(
                    "{registry} lists it as {}, a name that only other registries may supply.",
                    server.name
                )),
                _ => {}
            }
        }
    }
    for list in [&mut withheld, &mut refused] {
        list.sort_unstable();
        list.dedup();
    }
    (withheld, refused)
}

/// The same image at another host; the only server at the host of a URL.
fn elsewhere(judge: &mut Judge<'_>, configured: &Configured, targets: &[Target<'_>]) -> Option<Judged> {
    let Judge { catalog, lookup, .. } = *judge;
    for target in targets {
        let (servers, what) = match target {
            Target::Package(package) => match package.path_of_image() {
                Some(path) => (lookup.servers(catalog, &Key::Image(path)), "the image"),
                None => continue,
            },
            Target::Url(url) => (lookup.servers(catalog, &Key::Host(address::host(url))), "another URL"),
        };
        let is_it = |record: &Record| match target {
            Target::Package(package) => images(record).any(|image| image.path_of_image() == package.path_of_image()),
            Target::Url(url) => urls(record).any(|listed| address::host(listed) == address::host(url)),
        };
        let servers: Vec<&Server> = servers.into_iter().filter(|server| server.latest().is_some()).collect();
        let [server] = servers.as_slice() else { continue };
        let records = judge.records(server);
        let versions = server.versions.iter().zip(records.iter());
        let (version, record) =
            versions.filter(|(_, record)| is_it(record)).max_by_key(|(version, _)| version.is_latest)?;
        let listed: Vec<&str> = match target {
            Target::Package(_) => images(record).map(|image| image.identifier.as_str()).collect(),
            Target::Url(_) => urls(record).collect(),
        };
        let evidence = format!("{} lists {what} {} and not {}.", server.name, listed.join(", "), target.describe());
        let judged = Judged::new(configured, Verdict::WrongSource).with(evidence);
        return Some(described(judged, server, version, record, &[]));
    }
    None
}

fn images(record: &Record) -> impl Iterator<Item = &Package> {
    record.packages.iter().map(|listed| &listed.package).filter(|package| package.path_of_image().is_some())
}

fn urls(record: &Record) -> impl Iterator<Item = &str> {
    record.remotes.iter().filter_map(|remote| match &remote.address {
        super::records::Address::At(url) => Some(url.as_str()),
        super::records::Address::Like(_) => None,
    })
}

/// Whether it may be taken for a listed one: by its package, by its host, or by its name.
fn alike(judge: &Judge<'_>, configured: &Configured, targets: &[Target<'_>]) -> Option<Judged> {
    let Judge { catalog, lookup, .. } = *judge;
    let texts = lookup.texts(catalog);
    for target in targets {
        let alike: Vec<(String, Likeness)> = match target {
            Target::Package(package) => {
                let like = texts.identifiers.like(&package.identifier, |at| identifier(&texts.packages[at]));
                let same_kind = |key: &str| key.starts_with(&format!("{}:", package.kind.as_str()));
                let like = like.into_iter().map(|(at, likeness)| (texts.packages[at].to_string(), likeness));
                let same_owner = |key: &str| has_same_owner(&package.identifier, identifier(key));
                like.filter(|(key, _)| same_kind(key) && !same_owner(key)).collect()
            }
            Target::Url(url) => {
                let host = address::host(url);
                if texts.hosts.binary_search_by(|known| known.as_ref().cmp(host)).is_ok() {
                    continue;
                }
                let like = texts.host_names.like(host, |at| &texts.hosts[at]);
                like.into_iter().map(|(at, likeness)| (texts.hosts[at].to_string(), likeness)).collect()
            }
        };
        let key = |text: &str| match target {
            Target::Package(_) => lookup.servers(catalog, &Key::Package(text)),
            Target::Url(_) => lookup.servers(catalog, &Key::Host(text)),
        };
        if let Some((closest, likeness)) = alike.first() {
            let evidence = format!("{} is not listed, and {closest} is: {}.", target.describe(), in_words(*likeness));
            let mut judged = Judged::new(configured, Verdict::LookAlike).with(evidence);
            let servers = alike.iter().flat_map(|(text, _)| key(text)).filter(|server| server.latest().is_some());
            judged.candidates = servers.take(super::judge::MAX_NAMES).map(|server| server.name.to_string()).collect();
            judged.candidates.dedup();
            return Some(judged);
        }
    }
    alike_by_name(judge, configured)
}

impl Lookup {
    /// The names of servers that a name may be taken for, the closest first, of the catalog that this was made of.
    #[must_use]
    pub fn names_like<'c>(&self, catalog: &'c Catalog, name: &str) -> Vec<&'c str> {
        let servers = catalog.servers();
        let text = |at: usize| servers.get(at).map_or("", |server| server.name.as_str());
        self.texts(catalog).names.like(name, text).into_iter().map(|(at, _)| text(at)).collect()
    }
}

fn alike_by_name(judge: &Judge<'_>, configured: &Configured) -> Option<Judged> {
    let name = configured.reduced.name.as_deref()?;
    let servers = judge.catalog.servers();
    let names = &judge.lookup.texts(judge.catalog).names;
    let mut like = names.like(name, |at| servers.get(at).map_or("", |server| server.name.as_str()));
    like.retain(|(at, _)| !has_same_owner(name, servers[*at].name.as_str()));
    let (_, likeness) = like.first()?;
    let mut judged = Judged::new(configured, Verdict::LookAlike);
    judged.candidates = like.iter().map(|(at, _)| servers[*at].name.to_string()).collect();
    let evidence = format!("{name} is not listed, and {} is: {}.", judged.candidates[0], in_words(*likeness));
    Some(judged.with(evidence))
}

/// Whether two names, or two packages, are of one publisher, by what stands before the last slash: who owns that does
/// not pass for somebody else.
fn has_same_owner(one: &str, other: &str) -> bool {
    owner(one).is_some_and(|one| Some(one) == owner(other))
}

fn owner(text: &str) -> Option<&str> {
    /// Hosts of many publishers, whose first folders are theirs.
    const SHARED: [&str; 4] = ["github.com", "gitlab.com", "codeberg.org", "bitbucket.org"];
    let Some(begin) = text.find("://").map(|at| at + 3) else { return text.rsplit_once('/').map(|(owner, _)| owner) };
    let mut slashes = text[begin..].match_indices('/').map(|(at, _)| begin + at);
    let host_end = slashes.next()?;
    let end = if SHARED.contains(&&text[begin..host_end]) { slashes.next()? } else { host_end };
    Some(&text[..end])
}

fn in_words(likeness: Likeness) -> String {
    match likeness {
        Likeness::Case => "they differ in letter case alone".to_owned(),
        Likeness::Confusable => "they look the same".to_owned(),
        Likeness::Edits(1) => "they are one edit apart".to_owned(),
        Likeness::Edits(edits) => format!("they are {edits} edits apart"),
    }
}

/// Not listed at all; for certain only where every registry that may list it has said what it lists, and can be used.
fn unlisted(configured: &Configured, targets: &[Target<'_>], missing: &[&str]) -> Judged {
    let mut what: Vec<String> = targets.iter().map(|target| target.describe()).collect();
    if what.is_empty() {
        what.extend(configured.reduced.name.clone());
    }
    let what = if what.is_empty() { "It".to_owned() } else { what.join(", ") };
    if missing.is_empty() {
        return Judged::new(configured, Verdict::Unknown).with(format!("{what} is listed by no registry."));
    }
    let evidence = format!("{what} may be listed by {}, which cannot be used at the moment.", missing.join(", "));
    Judged::new(configured, Verdict::Unverified).with(evidence)
}
