//! How the header is read, and for how long it counts.

use http::HeaderValue;

use super::*;

fn watch(own: &str) -> LineageWatch {
    LineageWatch::new(OwnIds::of(ProxyId::new(own)), Arc::new(Notify::new()))
}

fn hear(watch: &LineageWatch, status: u16, values: &[&[u8]]) -> (bool, Vec<String>) {
    let value = |value: &&[u8]| (LINEAGE_HEADER, HeaderValue::from_bytes(value).expect("a header"));
    let status = StatusCode::from_u16(status).expect("a status");
    let is_loop = watch.hear(status, &values.iter().map(value).collect()).is_err();
    (is_loop, watch.heard().last.ids().map(|id| id.as_str().to_owned()).collect())
}

#[test]
fn ids_are_read_from_all_values_and_nonsense_is_passed_over() {
    let values: [&[u8]; 3] = [b" a ,\tb,, b,c d,\"e\"", b"\xff\xfe, f", b"g;h=1"];
    assert_eq!(hear(&watch("us"), 200, &values), (false, vec!["a".to_owned(), "b".to_owned(), "f".to_owned()]));
}

#[test]
fn our_own_id_is_found_wherever_it_stands() {
    let many: Vec<u8> = (0..10_000).flat_map(|number| format!("{number}, ").into_bytes()).collect();
    let (is_loop, kept) = hear(&watch("us"), 200, &[&many, b"us"]);
    assert_eq!((is_loop, kept.len()), (true, 1024));
    assert!(!hear(&watch("us"), 200, &[b"US, us1, u, s"]).0, "ids are compared to the byte");
    assert!(hear(&watch("us"), 503, &[b"them, us"]).0, "whatever the status");
}

#[test]
fn every_answer_replaces_the_one_before_but_for_errors_that_name_nobody() {
    let watch = watch("us");
    assert_eq!(hear(&watch, 200, &[b"a, b"]).1, ["a", "b"]);
    assert_eq!(hear(&watch, 502, &[]).1, ["a", "b"]);
    assert_eq!(hear(&watch, 503, &[b"a"]).1, ["a"]);
    assert!(hear(&watch, 200, &[]).1.is_empty());
}

#[test]
fn a_registry_that_has_fallen_silent_stands_for_nobody() {
    let (watch, config) = (watch("us"), health::Config { unhealthy_after: 2, ..health::Config::default() });
    let ends = |outcome, is_usable| {
        watch.end_test(outcome, &config);
        watch.heard().passed_on(is_usable, &config).ids().count()
    };
    hear(&watch, 503, &[b"them, those, us"]);
    assert_eq!(ends(Outcome::Loop, false), 2, "also what is refused");
    assert_eq!([ends(Outcome::Failure, false), ends(Outcome::Neither, false)], [2, 2]);
    assert_eq!([ends(Outcome::Failure, true), ends(Outcome::Failure, false)], [2, 0], "unless it is served stale");
    hear(&watch, 502, &[]);
    assert_eq!(ends(Outcome::Failure, false), 0, "an error that names nobody is none of its answers");
    hear(&watch, 503, &[b"them"]);
    assert_eq!(ends(Outcome::Failure, false), 1, "it is back");
}

#[test]
fn an_id_that_we_had_before_is_still_ours() {
    let own = OwnIds::of(ProxyId::new("first"));
    let watch = LineageWatch::new(own.clone(), Arc::new(Notify::new()));
    let id = |text: &str| ProxyId::new(text).expect("an id");
    own.replace_with(&id("second"));
    assert_eq!(own.present(), Some(id("second")));
    for ours in [&b"first"[..], b"second"] {
        assert!(hear(&watch, 200, &[ours]).0);
    }
    for number in 0..100 {
        own.replace_with(&id(&format!("id{number}")));
        own.replace_with(&id("second"));
    }
    assert!(own.include(&id("second")) && own.include(&id("id99")) && !own.include(&id("first")), "bounded");
}
