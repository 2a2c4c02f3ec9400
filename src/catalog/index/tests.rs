use std::collections::BTreeMap;

use proptest::prelude::*;

use super::grams::Signature;
use super::*;
use crate::catalog::Catalog;
use crate::catalog::entry::{Entry, Name, Status};
use crate::catalog::facets::Kind;
use crate::catalog::listing::{Listed, Listing};
use crate::catalog::merge::{Policy, Source, merge_first};
use crate::catalog::rules::RegistryRules;
use crate::catalog::search::lowercase;
use crate::catalog::testing::{Row, START, entry_with, second, status};
use crate::catalog::{Version, page::Position};

/// What names and texts are made of: letter case, characters that change their length in lower case, and grams
/// that many share.
const PIECES: [&str; 12] = ["io.", "a", "Ab", "É", "İ", "ß", "straße ", "Ω漢", "-", "x/", "q ", "zz"];
const VERSIONS: [&str; 5] = ["1.0.0", "1.0.1", "2.0.0", "auto", "é"];

fn text(pieces: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), pieces).prop_map(|pieces| pieces.concat())
}

/// One name with its versions: text, content (which makes the facets), and status of each.
type Server = (String, BTreeMap<usize, (String, u8, Status)>);

fn server() -> impl Strategy<Value = Server> {
    let version = (text(0..6), 0_u8..3, status());
    (text(1..4), prop::collection::btree_map(0..VERSIONS.len(), version, 1..4))
}

/// What happens to a registry between two merges.
#[derive(Clone, Debug)]
enum Event {
    Lists(Vec<Server>),
    Forgets { one_in: usize },
    ForgetsBetween(usize, usize),
    Fails(bool),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => prop::collection::vec(server(), 1..40).prop_map(Event::Lists),
        6 => prop::collection::vec(server(), 1..3).prop_map(Event::Lists),
        1 => (2_usize..20).prop_map(|one_in| Event::Forgets { one_in }),
        1 => (0_usize..60, 0_usize..60).prop_map(|(from, to)| Event::ForgetsBetween(from, to)),
        1 => any::<bool>().prop_map(Event::Fails),
    ]
}

fn entry_of(version: &str, text: &str, content: u8, status: &Status) -> Arc<Entry> {
    let updated_at = i64::from(content);
    let row = Row { name: "any", version: "any", content, updated_at, status: status.clone() };
    entry_with(&row, version, text)
}

/// Two registries, of which the second one lists half as much and may fail.
struct World {
    rules: Vec<Arc<RegistryRules>>,
    listed: BTreeMap<Name, Arc<Listed>>,
    usable: bool,
}

impl World {
    fn new() -> Self {
        let rules = |name| Arc::new(RegistryRules::new(name, &[], &[], &[]).expect("no patterns"));
        Self { rules: vec![rules("r0"), rules("r1")], listed: BTreeMap::new(), usable: true }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Lists(servers) => {
                for (name, versions) in servers {
                    let name = Name::new(&name).expect("a name");
                    let entries = versions
                        .iter()
                        .map(|(at, (text, content, status))| entry_of(VERSIONS[*at], text, *content, status));
                    let mut entries: Vec<Arc<Entry>> = entries.collect();
                    entries.sort_by(|left, right| left.version().cmp(right.version()));
                    self.listed.insert(name.clone(), Arc::new(Listed { name, entries }));
                }
            }
            Event::Forgets { one_in } => {
                let mut number = 0;
                self.listed.retain(|_, _| {
                    number += 1;
                    number % one_in != 0
                });
            }
            Event::ForgetsBetween(from, to) => {
                let mut number = 0;
                self.listed.retain(|_, _| {
                    number += 1;
                    !(from..to).contains(&number)
                });
            }
            Event::Fails(usable) => self.usable = usable,
        }
    }

    fn merge(&self, previous: &Catalog) -> Catalog {
        let catalog = self.merge_first(previous);
        catalog.make_index();
        catalog
    }

    fn merge_first(&self, previous: &Catalog) -> Catalog {
        let listing = |step: usize| {
            let is_listed =
                |listed: &&Arc<Listed>| listed.name.as_str().bytes().map(usize::from).sum::<usize>() % step == 0;
            let servers: Vec<_> = self.listed.values().filter(is_listed).cloned().collect();
            Some(Arc::new(Listing::new("https://x.example".into(), servers)))
        };
        let source = |number: usize, usable| Source {
            rules: Arc::clone(&self.rules[number]),
            usable,
            stale_since: None,
            is_partial: false,
            listing: listing(number + 1),
        };
        merge_first(&Policy::default(), &[source(0, true), source(1, self.usable)], previous, START)
    }
}

fn filter() -> impl Strategy<Value = Filter> {
    let needle = prop_oneof![text(1..3), text(1..2), "[a-zÉ/ ]{1,3}"];
    let version = prop_oneof![
        3 => Just(VersionFilter::Any),
        1 => Just(VersionFilter::Latest),
        2 => prop::sample::select(&VERSIONS[..]).prop_map(|version| VersionFilter::Exact(version.into())),
    ];
    let kind = prop::option::weighted(0.2, prop_oneof![Just(Kind::Package), Just(Kind::Remote)]);
    let registry = prop::option::weighted(0.2, prop::sample::select(&["r0", "r1", "r9"][..]));
    let ours = (registry, kind, prop::option::weighted(0.2, status()));
    let theirs = (prop::option::weighted(0.8, needle), prop::option::weighted(0.2, 0_i64..3), version, any::<bool>());
    (theirs, ours).prop_map(|((search, since, version, include_deleted), (registry, kind, status))| Filter {
        search: search.map(Into::into),
        updated_since: since.map(second),
        version,
        include_deleted,
        registry: registry.map(Into::into),
        kind,
        status,
        ..Filter::default()
    })
}

/// Whether a version passes, found out the slow and obvious way.
fn passes(filter: &Filter, catalog: &Catalog, server: &super::Server, version: &Version) -> bool {
    let texts = std::iter::once(lowercase(server.name.as_str()));
    let search_text = version.entry.search_text();
    let mut texts = texts.chain(search_text.split('\0').map(str::to_owned));
    let lists = |wanted: &str| {
        server.contributions.iter().any(|contribution| {
            *catalog.registries[contribution.registry].rules.name == *wanted
                && contribution.counts()
                && contribution.listed.entry(version.entry.version()).is_some()
        })
    };
    let is_of_kind = |kind: Kind| version.entry.facets().as_text().contains(&format!("type={}\n", kind.as_str()));
    (filter.shows_deleted() || !version.entry.is_deleted())
        && filter.search.as_deref().is_none_or(|term| texts.any(|text| text.contains(&lowercase(term))))
        && filter.updated_since.is_none_or(|since| since < version.effective_at)
        && filter.status.as_ref().is_none_or(|status| status == version.entry.status())
        && filter.registry.as_deref().is_none_or(lists)
        && filter.kind.is_none_or(is_of_kind)
        && match &filter.version {
            VersionFilter::Any => true,
            VersionFilter::Latest => version.is_latest,
            VersionFilter::Exact(wanted) => **wanted == *version.entry.version(),
        }
}

/// The index is one of these very servers, and each chunk knows what one that were made anew would know.
fn check(catalog: &Catalog) -> Result<(), TestCaseError> {
    let index = catalog.index();
    let commonness = &index.commonness.as_ref().expect("a merge knows it").commonness;
    let mut next = 0;
    for Placed { first, chunk } in &index.chunks {
        prop_assert_eq!(*first, next);
        next += chunk.len();
        let servers = &catalog.servers[*first..next];
        let mut builder = Builder::new(&catalog.registries, commonness);
        for server in servers {
            builder.push(server, None);
        }
        let anew = builder.finish();
        prop_assert_eq!((&chunk.effects, chunk.newest_effect), (&anew.effects, anew.newest_effect));
        prop_assert_eq!((&chunk.lines, &chunk.versions), (&anew.lines, &anew.versions));
        let last = chunk.texts.first_columns.last().expect("no chunk is empty");
        prop_assert!((*last as usize) < 2 * MAX_COLUMNS);
        let stands_alone = |server: &Arc<super::Server>| MANY_VERSIONS < server.versions.len();
        prop_assert!(servers.len() == 1 || !servers.iter().any(stands_alone));
        for (at, server) in servers.iter().enumerate() {
            check_columns(chunk, commonness, at, server)?;
        }
    }
    prop_assert_eq!(next, catalog.servers.len());
    Ok(())
}

/// Each text is in the column of its version, the name in the first one, and no column is of nothing.
fn check_columns(
    chunk: &Chunk,
    commonness: &Commonness,
    at: usize,
    server: &super::Server,
) -> Result<(), TestCaseError> {
    let signatures = chunk.texts.matrix.signatures();
    let columns = chunk.texts.columns(at);
    let first_versions = &chunk.texts.first_versions[columns.clone()];
    prop_assert!(first_versions.is_sorted_by(|left, right| left < right) && first_versions[0] == 0);
    prop_assert!((first_versions[first_versions.len() - 1] as usize) < server.versions.len());
    let texts = server.versions.iter().enumerate().map(|(number, version)| {
        let column = first_versions.partition_point(|first| *first as usize <= number) - 1;
        (columns.start + column, version.entry.search_text().into_owned())
    });
    for (column, text) in texts.chain([(columns.start, lowercase(server.name.as_str()))]) {
        let (mut presence, mut signature) = (chunk.texts.presence.clone(), Signature::default());
        signature.add(&text, commonness, &mut presence);
        prop_assert_eq!(signatures[column].or(signature), signatures[column]);
        prop_assert_eq!(&presence, &chunk.texts.presence);
    }
    Ok(())
}

fn check_answers(catalog: &Catalog, filter: &Filter, start: usize) -> Result<(), TestCaseError> {
    let start =
        catalog.servers().get(start).map(|server| Position { name: server.name.as_str().into(), version: None });
    let is_after = |server: &super::Server| start.as_ref().is_none_or(|start| *start.name < *server.name.as_str());
    let all = catalog.servers().iter().filter(|server| is_after(server));
    let expected: Vec<_> = all
        .flat_map(|server| server.versions.iter().filter(|version| passes(filter, catalog, server, version)))
        .map(std::ptr::from_ref)
        .collect();
    let found: Vec<_> =
        catalog.page(filter, start.as_ref(), usize::MAX).versions.into_iter().map(std::ptr::from_ref).collect();
    prop_assert_eq!(found, expected, "{:?}", filter);
    Ok(())
}

proptest! {
    // Each is a walk through many catalogs.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn an_index_that_went_through_any_changes_answers_like_a_scan_and_is_like_one_made_anew(
        events in prop::collection::vec(event(), 1..10),
        filters in prop::collection::vec((filter(), 0_usize..100), 4),
    ) {
        let mut world = World::new();
        let mut catalog = world.merge(&Catalog::default());
        check(&catalog)?;
        for event in events {
            world.apply(event);
            catalog = world.merge(&catalog);
            check(&catalog)?;
            for (filter, start) in &filters {
                check_answers(&catalog, filter, *start)?;
            }
        }
    }
}

/// So many names, far from one another in their order.
fn many(count: usize) -> Vec<Server> {
    let version = |number: usize| BTreeMap::from([(0, (format!("text {number}"), 0, Status::Active))]);
    (0..count).map(|number| (format!("name-{number:05}"), version(number))).collect()
}

fn shared(one: &Catalog, other: &Catalog) -> usize {
    let chunks = |catalog: &Catalog| catalog.index().chunks.iter().map(|it| Arc::clone(&it.chunk)).collect::<Vec<_>>();
    let (ones, others) = (chunks(one), chunks(other));
    ones.iter().filter(|one| others.iter().any(|other| Arc::ptr_eq(one, other))).count()
}

#[test]
fn a_change_leaves_all_chunks_but_its_own_where_they_were() {
    let mut world = World::new();
    world.apply(Event::Lists(many(400)));
    let before = world.merge(&Catalog::default());
    let chunks = before.index().chunks.len();
    assert!(chunks > 20, "{chunks}");
    assert_eq!(shared(&before, &world.merge(&before)), chunks);
    // A name in the middle changes, one is added behind it, and another one goes.
    for event in [
        Event::Lists(vec![("name-00200".to_owned(), BTreeMap::from([(1, ("new".to_owned(), 1, Status::Active))]))]),
        Event::Lists(vec![("name-00200-a".to_owned(), BTreeMap::from([(0, ("new".to_owned(), 1, Status::Active))]))]),
        Event::ForgetsBetween(100, 101),
    ] {
        let before = world.merge(&before);
        world.apply(event);
        assert_eq!(shared(&before, &world.merge(&before)), chunks - 1);
    }
}

#[test]
fn an_index_that_would_be_made_anew_comes_after_its_catalog_which_answers_like_a_scan() {
    let mut world = World::new();
    world.apply(Event::Lists(many(200)));
    let catalog = world.merge_first(&Catalog::default());
    assert!(!catalog.is_indexed());
    let term = |term: &str| Filter { search: Some(term.into()), ..Filter::default() };
    let filters = [
        Filter::default(),
        term("name-0010"),
        term("no such thing"),
        Filter { version: VersionFilter::Exact(VERSIONS[0].into()), ..Filter::default() },
        Filter { registry: Some("r1".into()), kind: Some(Kind::Package), ..Filter::default() },
    ];
    for filter in &filters {
        check_answers(&catalog, filter, usize::MAX).expect("the answers of a scan");
        check_answers(&catalog, filter, 50).expect("the answers of a scan");
    }
    catalog.make_index();
    check(&catalog).expect("an index like one made anew");
    world.apply(Event::ForgetsBetween(10, 11));
    assert!(world.merge_first(&catalog).is_indexed(), "it has one to begin with");
}

#[test]
fn what_grew_is_cut_and_what_shrank_is_joined() {
    let mut world = World::new();
    world.apply(Event::Lists(many(10)));
    let small = world.merge(&Catalog::default());
    world.apply(Event::Lists(many(40)));
    let grown = world.merge(&small);
    assert!(grown.index().chunks.len() > small.index().chunks.len());
    world.apply(Event::ForgetsBetween(2, 40));
    let shrunk = world.merge(&grown);
    assert_eq!(shrunk.index().chunks.len(), 1);
    world.apply(Event::ForgetsBetween(0, 100));
    assert_eq!(world.merge(&shrunk).index().chunks.len(), 0);
}

#[test]
fn a_server_of_many_texts_is_a_chunk_of_its_own_and_its_texts_are_told_apart() {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut server = many_texts(&mut rng, 200);
    server.sort_by(|left, right| left.version().cmp(right.version()));
    let name = Name::new("big").expect("a name");
    let mut world = World::new();
    world.apply(Event::Lists(many(20)));
    let needle: Box<str> = server[120].search_text().split('\0').nth(1).expect("two fields")[3..9].into();
    world.listed.insert(name.clone(), Arc::new(Listed { name, entries: server }));
    let catalog = world.merge(&Catalog::default());
    check(&catalog).expect("an index like one made anew");
    let filter = Filter { search: Some(needle), include_deleted: true, ..Filter::default() };
    check_answers(&catalog, &filter, usize::MAX).expect("the answers of a scan");
    let question = catalog.index().question(&filter, filter.search.as_deref());
    let candidate = catalog.index().next(&question, 0).expect("it is there");
    let named = (0..200).filter(|version| candidate.may_contain(&question, *version)).count();
    assert!(named < 20, "{named}");
}

fn many_texts(rng: &mut fastrand::Rng, count: usize) -> Vec<Arc<Entry>> {
    (0..count)
        .map(|number| {
            let text: String = (0..80).map(|_| rng.lowercase()).collect();
            entry_of(&format!("{number:04}"), &text, 0, &Status::Active)
        })
        .collect()
}

#[test]
fn a_server_of_many_versions_is_found_however_it_came_to_a_chunk_of_its_own() {
    const NEEDLE: &str = "a needle in a haystack";
    let mut world = World::new();
    let list = |world: &mut World, name: &str, versions: usize, text: &str| {
        let name = Name::new(name).expect("a name");
        let mut entries = world.listed.get(&name).map_or_else(Vec::new, |listed| listed.entries.clone());
        let more = entries.len()..versions;
        entries.extend(more.map(|version| entry_of(&format!("1.{version:05}"), text, 0, &Status::Active)));
        world.listed.insert(name.clone(), Arc::new(Listed { name, entries }));
    };
    list(&mut world, "b/few", 3, "something else");
    list(&mut world, "m/many", MANY_VERSIONS, NEEDLE);
    list(&mut world, "z/few", 3, "something else");
    let mut catalog = world.merge(&Catalog::default());
    // It outgrows the chunk that it shares; then others come before it, and it changes once more.
    for (name, versions, text) in [
        ("m/many", MANY_VERSIONS + 1, NEEDLE),
        ("a/new", 1, "something else"),
        ("c/new", 1, "something else"),
        ("m/many", MANY_VERSIONS + 2, NEEDLE),
    ] {
        list(&mut world, name, versions, text);
        catalog = world.merge(&catalog);
        for term in ["needle in a hay", "m/many", "hayst"] {
            let filter = Filter { search: Some(term.into()), ..Filter::default() };
            assert_eq!(catalog.page(&filter, None, 1).versions.len(), 1, "{term} after {name} has {versions}");
        }
        check(&catalog).expect("a sound index");
    }
}
