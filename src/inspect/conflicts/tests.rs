use serde_json::{Value, json};

use super::*;
use crate::inspect::testing::{Listed, catalog};

/// All conflicts, by pages of this size.
fn walk(catalog: &Catalog, filter: &Filter, limit: usize) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = page(catalog, filter, after.as_ref(), limit);
        assert!(page.conflicts.len() <= limit);
        all.extend(page.conflicts.iter().map(|conflict| serde_json::to_value(conflict).expect("JSON")));
        match page.next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}

fn keys(conflicts: &[Value]) -> Vec<String> {
    let text = |conflict: &Value, key: &str| conflict[key].as_str().unwrap_or("-").to_owned();
    conflicts
        .iter()
        .map(|one| {
            format!("{} {}@{} {}", text(one, "kind"), text(one, "name"), text(one, "version"), text(one, "registry"))
        })
        .collect()
}

fn all_kinds() -> Catalog {
    let of = |name, version, title| Listed::new(name, version).with("title", title);
    let internal = vec![of("com.acme/a", "1.0.0", "A"), of("org.x/both", "1.0.0", "X")];
    let public = vec![
        of("com.acme/a", "1.0.0", "Forged"),
        of("com.ACME/b", "9.0.0", "Forged"),
        of("org.x/both", "1.0.0", "Y"),
        of("org.x/both", "2.0.0", "Z"),
        of("org.x/alone", "1.0.0", "Z"),
    ];
    catalog(&[("internal", &["com.acme/*"], true, internal), ("public", &[], true, public)])
}

#[test]
fn each_kind_is_found_in_order_with_what_there_is_to_say() {
    let catalog = all_kinds();
    let found = walk(&catalog, &Filter::default(), 100);
    let expected = [
        "refused com.ACME/b@9.0.0 public",
        "refused com.acme/a@1.0.0 public",
        "content org.x/both@1.0.0 -",
        "latest org.x/both@2.0.0 public",
    ];
    assert_eq!(keys(&found), expected);
    assert_eq!(found[0]["claimedBy"], json!(["internal"]));
    let content = &found[2];
    assert_eq!((&content["winner"], &content["reason"]), (&json!("internal"), &json!(FIRST_IN_ORDER)));
    let [winner, other] = content["listings"].as_array().expect("listings").as_slice() else { panic!("{content}") };
    assert_eq!((&winner["registry"], winner.get("differences")), (&json!("internal"), None));
    assert_eq!(other["differences"], json!([{"pointer": "/title", "winner": "X", "other": "Y"}]));
    assert_ne!(winner["sha256"], other["sha256"]);
    let earlier = &found[3]["earlier"];
    assert_eq!((&earlier[0]["registry"], &earlier[0]["versions"]), (&json!("internal"), &json!(1)));
    assert_eq!(earlier[0]["latest"], "1.0.0");
}

#[test]
fn pages_of_any_size_are_parts_of_the_same_list() {
    let catalog = all_kinds();
    for limit in 1..5 {
        assert_eq!(walk(&catalog, &Filter::default(), limit), walk(&catalog, &Filter::default(), 100), "{limit}");
    }
}

#[test]
fn filters_narrow_the_list() {
    let catalog = all_kinds();
    let count = |filter: Filter| walk(&catalog, &filter, 2).len();
    let kind = |kind| count(Filter { kind: Some(kind), ..Filter::default() });
    assert_eq!(Kind::ALL.map(kind), [1, 1, 2]);
    assert_eq!(counts(&catalog), [1, 1, 2]);
    let name = |name: &str| count(Filter { name: Some(name.into()), ..Filter::default() });
    assert_eq!((name("com.acme/*"), name("com.acme/A"), name("org.x"), name("*both")), (2, 1, 0, 2));
    let registry = |registry: &str| count(Filter { registry: Some(registry.into()), ..Filter::default() });
    assert_eq!((registry("public"), registry("internal"), registry("nobody")), (4, 4, 0));
}

#[test]
fn what_is_not_usable_disagrees_with_nobody_and_what_is_refused_stays_so() {
    let of = |title: &str| vec![Listed::new("org.x/a", "1.0.0").with("title", title)];
    let down = catalog(&[("one", &[], true, of("A")), ("two", &[], false, of("B"))]);
    assert_eq!(walk(&down, &Filter::default(), 100), [Value::Null; 0]);
    let acme = |title: &str| vec![Listed::new("com.acme/a", "1.0.0").with("title", title)];
    let owner_down = catalog(&[("one", &["com.acme/*"], false, acme("A")), ("two", &[], true, acme("B"))]);
    assert_eq!(keys(&walk(&owner_down, &Filter::default(), 100)), ["refused com.acme/a@1.0.0 two"]);
}

#[test]
fn what_registries_put_under_meta_is_no_content() {
    let of = |stars: u32| vec![Listed::new("org.x/a", "1.0.0").with("_meta", json!({"github": {"stars": stars}}))];
    let same = catalog(&[("one", &[], true, of(1)), ("two", &[], true, of(2))]);
    assert_eq!(walk(&same, &Filter::default(), 100), [Value::Null; 0]);
    let of = |stars: u32, title: &str| {
        vec![Listed::new("org.x/a", "1.0.0").with("_meta", json!({"stars": stars})).with("title", title)]
    };
    let other = catalog(&[("one", &[], true, of(1, "A")), ("two", &[], true, of(2, "B"))]);
    let found = walk(&other, &Filter::default(), 100);
    assert_eq!(found[0]["listings"][1]["differences"].as_array().map(Vec::len), Some(1), "{found:?}");
}

#[test]
fn a_latest_version_that_the_earlier_ones_registry_vouches_for_has_not_changed_hands() {
    let of = |version| Listed::new("org.x/a", version);
    let catalog_of =
        |second: Vec<Listed>| catalog(&[("first", &[], true, vec![of("2.0.0")]), ("second", &[], true, second)]);
    let latest = Filter { kind: Some(Kind::Latest), ..Filter::default() };
    let count = |second| walk(&catalog_of(second), &latest, 100).len();
    assert_eq!(count(vec![of("1.0.0"), of("2.0.0")]), 0, "it lists it too");
    assert_eq!(count(vec![of("1.0.0"), of("2.0.0").with("title", "Other")]), 1, "with other content");
    assert_eq!(count(vec![of("1.0.0")]), 1);
    assert_eq!(count(vec![of("2.1.0-rc.1")]), 1, "what was the latest is earlier now");
    assert_eq!(count(vec![]), 0);
}
