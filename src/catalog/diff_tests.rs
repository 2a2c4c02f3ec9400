use super::super::entry::Status;
use super::super::merge::{Moment, Policy, Source, merge};
use super::super::testing::{Row, listing, second, sources};
use super::*;

fn row(name: &'static str, version: &'static str, content: u8) -> Row {
    Row { name, version, content, updated_at: 0, status: Status::Active }
}

/// Two registries that claim nothing.
fn two(alpha: &[Row], beta: &[Row]) -> Vec<Source> {
    sources(&vec![(alpha.to_vec(), true, false), (beta.to_vec(), true, false)])
}

fn merged(sources: &[Source], previous: &Catalog) -> Catalog {
    merge(&Policy::default(), sources, previous, Moment { now: second(9), is_ready: true })
}

/// What changed, in few words.
fn told(before: &Catalog, after: &Catalog) -> Vec<String> {
    let tell = |change: &Change| {
        let Change { kind, registry, former_registry, name, version, previous_version, fields } = change;
        let optional =
            |mark: &str, text: &Option<Box<str>>| text.as_ref().map_or_else(String::new, |t| format!("{mark}{t}"));
        let (former, previous) = (optional("<", former_registry), optional("<", previous_version));
        format!("{} {registry}{former} {name} {version}{previous} {}", kind.as_str(), fields.join(" "))
            .trim()
            .to_owned()
    };
    diff(before, after, usize::MAX).expect("no bound").iter().map(tell).collect()
}

const IS_LATEST: &str = "/_meta/io.modelcontextprotocol.registry~1official/isLatest";
const STATUS: &str = "/_meta/io.modelcontextprotocol.registry~1official/status";
const OURS: &str = "/_meta/mcp-registry-proxy~1provenance";

#[test]
fn every_kind_of_change_is_told_with_its_fields() {
    let mut sources = two(&[row("a/one", "1.0.0", 0), row("a/two", "1.0.0", 0)], &[]);
    let first = merged(&sources, &Catalog::default());
    let step = |sources: &mut Vec<Source>, before: &Catalog, alpha: &[Row], beta: &[Row]| {
        for (source, rows) in sources.iter_mut().zip([alpha, beta]) {
            source.listing = Some(Arc::new(listing(rows)));
        }
        merged(sources, before)
    };
    assert_eq!(told(&Catalog::default(), &first), ["added r0 a/one 1.0.0", "added r0 a/two 1.0.0"]);
    let same = step(&mut sources, &first, &[row("a/one", "1.0.0", 0), row("a/two", "1.0.0", 0)], &[]);
    assert_eq!(told(&first, &same), [""; 0], "other pointers, the same bytes");
    let newer = [row("a/one", "1.0.0", 0), row("a/one", "2.0.9", 1), row("a/two", "1.0.0", 2)];
    let next = step(&mut sources, &same, &newer, &[]);
    assert_eq!(
        told(&same, &next),
        [
            &format!("changed r0 a/one 1.0.0 {IS_LATEST}"),
            "added r0 a/one 2.0.9",
            "latest-moved r0 a/one 2.0.9<1.0.0",
            &format!("changed r0 a/two 1.0.0 /server/description /server/content {OURS}/sha256"),
        ]
    );
    let gone = |status| Row { status, ..row("a/two", "1.0.0", 2) };
    let retired = [row("a/one", "1.0.0", 0), gone(Status::Deprecated)];
    let before = std::mem::replace(&mut sources, two(&[], &[]));
    drop(before);
    let after = step(&mut sources, &next, &retired, &[]);
    assert_eq!(
        told(&next, &after),
        [
            &format!("changed r0 a/one 1.0.0 {IS_LATEST}"),
            "removed r0 a/one 2.0.9",
            "latest-moved r0 a/one 1.0.0<2.0.9",
            &format!("deprecated r0 a/two 1.0.0 {STATUS}"),
        ]
    );
    let deleted = step(&mut sources, &after, &[row("a/one", "1.0.0", 0), gone(Status::Deleted)], &[]);
    assert_eq!(told(&after, &deleted), [format!("deleted r0 a/two 1.0.0 {STATUS}")]);
    // Who else lists it is a part of what is served, and so is where it comes from.
    let shared = step(&mut sources, &deleted, &[row("a/one", "1.0.0", 0)], &[row("a/one", "1.0.0", 0)]);
    assert_eq!(told(&deleted, &shared), [&format!("changed r0 a/one 1.0.0 {OURS}/alsoIn"), "removed r0 a/two 1.0.0"]);
    let moved = step(&mut sources, &shared, &[], &[row("a/one", "1.0.0", 0)]);
    assert_eq!(told(&shared, &moved), [format!("changed r1<r0 a/one 1.0.0 {OURS}/registry {OURS}/alsoIn")]);
}

#[test]
fn too_much_at_once_is_said_to_be_that() {
    let sources = two(&[row("a/one", "1.0.0", 0), row("a/two", "1.0.0", 0)], &[]);
    let catalog = merged(&sources, &Catalog::default());
    assert_eq!(diff(&Catalog::default(), &catalog, 2).map(|changes| changes.len()), Some(2));
    assert_eq!(diff(&Catalog::default(), &catalog, 1), None);
    assert_eq!(diff(&catalog, &Catalog::default(), 1), None);
    assert_eq!(diff(&catalog, &catalog, 0), Some(Vec::new()));
}

#[test]
fn a_fingerprint_is_of_the_bytes_that_are_served() {
    let rows = [row("a/one", "1.0.0", 0), row("a/two", "1.0.0", 0)];
    let of = |alpha: &[Row], beta: &[Row]| fingerprint(&merged(&two(alpha, beta), &Catalog::default()));
    assert_eq!(of(&rows, &[]), of(&rows, &[]));
    let others =
        [of(&rows[..1], &[]), of(&[row("a/one", "1.0.0", 1), rows[1].clone()], &[]), of(&rows, &rows), of(&[], &[])];
    assert!(others.iter().all(|other| *other != of(&rows, &[])));
}
