//! Dependency confusion: whatever registries list, in whatever order they come and go, and whatever they answer to
//! look-ups, a name that somebody's pattern matches comes from those who have such a pattern, or from nobody.
//!
//! What is expected is said without the library's help: patterns of these tests are a namespace and `/*`, and a name is
//! somebody's if, escapes decoded and letter case aside, that is how it begins.

use std::sync::Arc;

use proptest::prelude::*;

use super::entry::{Name, Status};
use super::listing::{Listing, ListingBuilder};
use super::merge::{Moment, Policy, Source, merge};
use super::page::{Filter, VersionFilter};
use super::rules::{Omission, RegistryRules};
use super::testing::{Row, START, entry_with, second};
use super::{Catalog, MergeMode, Standing};

const NAMESPACES: [&str; 4] = ["com.acme", "com.acme.kit", "io.github.acme", "org.öl"];
const TAILS: [&str; 3] = ["search", "x", "Über"];

/// A name that belongs to a namespace, or only looks as if, in some spelling.
fn name() -> impl Strategy<Value = String> {
    let spelling = prop_oneof![
        3 => Just("as it is"), 2 => Just("upper"), 1 => Just("kelvin"), 1 => Just("escaped"), 1 => Just("twice"),
        1 => Just("longer"), 1 => Just("before"), 1 => Just("bare"),
    ];
    (0..NAMESPACES.len(), 0..TAILS.len(), spelling).prop_map(|(namespace, tail, spelling)| {
        let (namespace, tail) = (NAMESPACES[namespace], TAILS[tail]);
        match spelling {
            "upper" => format!("{}/{tail}", namespace.to_uppercase()),
            "kelvin" => format!("{}/{tail}", namespace.replace('k', "\u{212a}")),
            "escaped" => format!("{namespace}%2F{tail}"),
            "twice" => format!("{}%252f{tail}", namespace.to_uppercase()),
            "longer" => format!("{namespace}.evil/{tail}"),
            "before" => format!("evil.{namespace}/{tail}"),
            "bare" => namespace.to_owned(),
            _ => format!("{namespace}/{tail}"),
        }
    })
}

/// Whether a name begins as a namespace does, by rules of its own.
fn is_in(name: &str, namespace: &str) -> bool {
    let plain = |text: &str| text.replace('\u{212a}', "k").to_lowercase();
    let decoded = plain(name).replace("%25", "%").replace("%2f", "/");
    decoded.starts_with(&format!("{}/", plain(namespace)))
}

/// A registry: which namespaces it claims, and what it lists and whether it is usable at each moment.
#[derive(Clone, Debug)]
struct Member {
    claims: Vec<usize>,
    moments: Vec<(Vec<(String, usize)>, bool)>,
    /// What it says when it is looked names up at, whether it was asked or not.
    answers: Vec<(String, usize)>,
}

fn rows() -> impl Strategy<Value = Vec<(String, usize)>> {
    prop::collection::vec((name(), 0_usize..4), 0..8)
}

const MOMENTS: usize = 4;

fn member() -> impl Strategy<Value = Member> {
    let claims = prop::collection::vec(0..NAMESPACES.len(), 0..3);
    let moments = prop::collection::vec((rows(), prop::bool::weighted(0.6)), MOMENTS);
    (claims, moments, rows()).prop_map(|(claims, moments, answers)| Member { claims, moments, answers })
}

fn listing(rows: &[(String, usize)], registry: usize) -> Listing {
    let mut builder = ListingBuilder::new("https://x.example".into(), None);
    for (name, version) in rows {
        let row = Row { name: "", version: "", content: 0, updated_at: 0, status: Status::Active };
        let version = ["1.0.0", "2.0.0", "0.9.0", "latest-ish"][*version];
        let entry = entry_with(&row, version, &format!("by {registry}"));
        builder.insert(&Name::new(name).expect("a name"), entry);
    }
    builder.snapshot()
}

fn rules(members: &[Member]) -> Vec<Arc<RegistryRules>> {
    let rules = |(index, member): (usize, &Member)| {
        let patterns: Vec<String> = member.claims.iter().map(|claim| format!("{}/*", NAMESPACES[*claim])).collect();
        Arc::new(RegistryRules::new(&format!("r{index}"), &patterns, &[], &[]).expect("valid patterns"))
    };
    members.iter().enumerate().map(rules).collect()
}

fn claimants(members: &[Member], name: &str) -> Vec<usize> {
    let claims = |member: &Member| member.claims.iter().any(|claim| is_in(name, NAMESPACES[*claim]));
    (0..members.len()).filter(|index| claims(&members[*index])).collect()
}

/// What must hold of every catalog, however it came about.
fn check(catalog: &Catalog, members: &[Member]) -> Result<(), TestCaseError> {
    for server in catalog.servers().iter().chain(catalog.unserved()) {
        let owners = claimants(members, server.name.as_str());
        let may_supply = |registry: usize| owners.is_empty() || owners.contains(&registry);
        for version in &server.versions {
            prop_assert!(may_supply(version.registry), "{} from r{}", server.name, version.registry);
            let text = version.entry.server();
            prop_assert!(text.contains(&format!("by {}", version.registry)), "{text}");
        }
        let withheld = server.withheld_by(None, true);
        prop_assert!(withheld.iter().all(|registry| may_supply(*registry)), "{} {withheld:?}", server.name);
        for contribution in &server.contributions {
            let is_refused = contribution.standing == Standing::LeftOut(Omission::OwnedElsewhere);
            prop_assert_eq!(is_refused, !may_supply(contribution.registry), "{}", server.name);
        }
    }
    // What lists, searches and filters see is no more than that.
    for (index, _) in members.iter().enumerate() {
        for version in [VersionFilter::Any, VersionFilter::Latest] {
            let filter = Filter { registry: Some(format!("r{index}").into()), version, ..Filter::default() };
            let listed = catalog.page(&filter, None, 1_000).versions.len();
            let may = catalog.servers().iter().filter(|server| {
                let owners = claimants(members, server.name.as_str());
                owners.is_empty() || owners.contains(&index)
            });
            prop_assert!(listed <= may.map(|server| server.versions.len()).sum());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_sequence_of_states_lets_a_claimed_name_through(
        members in prop::collection::vec(member(), 1..5), first in any::<bool>(), is_ready in any::<bool>()
    ) {
        let mode = if first { MergeMode::First } else { MergeMode::Union };
        let (policy, rules) = (Policy { mode, ..Policy::default() }, rules(&members));
        let mut catalog = Catalog::default();
        for moment in 0..MOMENTS {
            let source = |(index, member): (usize, &Member)| {
                let (rows, usable) = &member.moments[moment];
                // A registry with nothing to list yet is one whose first walk has not begun.
                let listing = (!rows.is_empty()).then(|| Arc::new(listing(rows, index)));
                Source { rules: Arc::clone(&rules[index]), usable: *usable, stale_since: None, is_partial: false, listing }
            };
            let sources: Vec<Source> = members.iter().enumerate().map(source).collect();
            catalog = merge(&policy, &sources, &catalog, Moment { now: second(10), is_ready });
            check(&catalog, &members)?;

            // Read-through: what the registries say of one name is merged with what is known of it.
            for (name, _) in members.iter().flat_map(|member| &member.answers) {
                let with_answer = |(index, member): (usize, &Member)| {
                    let (rows, usable) = &member.moments[moment];
                    let of_name = |(known, _): &&(String, usize)| known == name;
                    let rows: Vec<_> = rows.iter().chain(&member.answers).filter(of_name).cloned().collect();
                    let listing = (!rows.is_empty()).then(|| Arc::new(listing(&rows, index)));
                    Source { rules: Arc::clone(&rules[index]), usable: *usable, stale_since: None, is_partial: false, listing }
                };
                let sources: Vec<Source> = members.iter().enumerate().map(with_answer).collect();
                check(&merge(&policy, &sources, &Catalog::default(), START), &members)?;
            }
        }
    }

    #[test]
    fn while_its_owners_are_down_a_name_is_gone_and_says_so(
        members in prop::collection::vec(member(), 1..5)
    ) {
        let rules = rules(&members);
        let source = |(index, member): (usize, &Member)| {
            let listing = Some(Arc::new(listing(&member.moments[0].0, index)));
            // Whoever claims anything is down.
            let usable = member.claims.is_empty();
            Source { rules: Arc::clone(&rules[index]), usable, stale_since: None, is_partial: false, listing }
        };
        let sources: Vec<Source> = members.iter().enumerate().map(source).collect();
        let catalog = merge(&Policy::default(), &sources, &Catalog::default(), START);
        for (name, _) in members.iter().flat_map(|member| &member.moments[0].0) {
            let owners = claimants(&members, name);
            let server = catalog.server(name).expect("it is listed");
            if !owners.is_empty() {
                prop_assert!(server.versions.is_empty(), "{}", name);
                let lists = |owner: &usize| members[*owner].moments[0].0.iter().any(|(listed, _)| listed == name);
                let expected: Vec<usize> = owners.into_iter().filter(lists).collect();
                prop_assert_eq!(server.withheld_by(None, true), expected, "{}", name);
            }
        }
    }
}
