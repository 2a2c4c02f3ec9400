use super::*;
use crate::registry::wire::{Context, decode};

/// A decoded page of entries named `a/<n>`, with or without a next cursor.
fn page(numbers: std::ops::Range<u32>, next_cursor: Option<&str>) -> Page {
    page_after(None, numbers, next_cursor)
}

fn page_after(previous: Option<&Listing>, numbers: std::ops::Range<u32>, next_cursor: Option<&str>) -> Page {
    let entries: Vec<_> = numbers
        .map(
            |number| serde_json::json!({"server": {"name": format!("a/{number}"), "description": "d", "version": "1"}}),
        )
        .collect();
    let document = serde_json::json!({"servers": entries, "metadata": {"nextCursor": next_cursor}});
    let context = Context { now: Timestamp::UNIX_EPOCH, provenance_key: "k", previous, max_entry_size: 1 << 10 };
    decode(document.to_string().as_bytes(), &context).expect("a list")
}

fn page_of(description: &str, numbers: std::ops::Range<u32>) -> Page {
    let entries: Vec<_> = numbers
        .map(|number| {
            serde_json::json!({"server": {"name": format!("a/{number}"), "description": description, "version": "1"}})
        })
        .collect();
    let context =
        Context { now: Timestamp::UNIX_EPOCH, provenance_key: "k", previous: None, max_entry_size: 256 << 10 };
    decode(serde_json::Value::from(entries).to_string().as_bytes(), &context).expect("a list")
}

fn status(status: u16) -> FetchError {
    FetchError::Status { status, retry_after: None }
}

fn full(previous: Option<Arc<Listing>>) -> (Walk, Instant) {
    let now = Instant::now();
    let visible = previous.as_ref().map_or(0, |previous| previous.visible_versions());
    let known = Known { last_good: previous.clone(), previous, visible, lists_deleted: false };
    (Walk::full("https://x.example/v0.1/servers".into(), known, Limits::default(), now), now)
}

fn query(walk: &Walk, now: Instant) -> PageQuery {
    match walk.next(now).expect("not given up") {
        Next::Fetch(query) => query,
        Next::Wait(_) => panic!("it waits"),
    }
}

#[test]
fn pages_are_asked_for_one_after_the_other_until_one_names_no_next() {
    let (mut walk, now) = full(None);
    assert_eq!(query(&walk, now), PageQuery { include_deleted: true, ..PageQuery::default() });
    assert!(matches!(walk.observe(Ok(page(0..3, Some("c1"))), now, 0.0), Ok(Progress::Continues)));
    assert_eq!(query(&walk, now).cursor.as_deref(), Some("c1"));
    assert!(matches!(walk.observe(Ok(page(3..5, None)), now, 0.0), Ok(Progress::Finished)));
    assert_eq!((walk.pages(), walk.snapshot().0.versions), (2, 5));
}

#[test]
fn an_empty_last_page_is_the_end() {
    let (mut walk, now) = full(None);
    walk.observe(Ok(page(0..3, Some("c1"))), now, 0.0).expect("goes on");
    assert!(matches!(walk.observe(Ok(page(0..0, None)), now, 0.0), Ok(Progress::Finished)));
}

#[test]
fn a_page_that_failed_is_asked_for_again_after_a_wait() {
    let (mut walk, now) = full(None);
    walk.observe(Ok(page(0..3, Some("c1"))), now, 0.0).expect("goes on");
    walk.observe(Err(status(500)), now, 0.0).expect("is retried");
    let until = match walk.next(now).expect("not given up") {
        Next::Wait(until) => until,
        Next::Fetch(_) => panic!("it does not wait"),
    };
    assert!(now < until);
    assert_eq!(query(&walk, until).cursor.as_deref(), Some("c1"));
}

#[test]
fn deleted_versions_are_not_asked_for_where_the_registry_rejects_that() {
    let (mut walk, now) = full(None);
    walk.observe(Err(status(422)), now, 0.0).expect("is asked otherwise");
    assert!(!query(&walk, now).include_deleted);
    assert!(matches!(walk.observe(Err(status(422)), now, 0.0), Err(WalkError::Lasting { page: 1, .. })));
}

#[test]
fn what_does_not_speak_of_the_parameter_or_comes_too_late_does_not_drop_it() {
    for code in [401, 403, 404, 410] {
        let (mut walk, now) = full(None);
        let result = walk.observe(Err(status(code)), now, 0.0);
        assert!(matches!(result, Err(WalkError::Lasting { page: 1, .. })), "{code}: {result:?}");
    }
    let now = Instant::now();
    let known = Known { lists_deleted: true, ..Known::default() };
    let mut walk = Walk::full("https://x.example/v0.1/servers".into(), known, Limits::default(), now);
    let result = walk.observe(Err(status(400)), now, 0.0);
    assert!(matches!(result, Err(WalkError::Lasting { page: 1, .. })), "it has known it before: {result:?}");
}

#[test]
fn a_walk_without_deleted_versions_keeps_those_that_are_known() {
    let deleted = |number: u32, status: &str| {
        let server = serde_json::json!({"name": format!("a/{number}"), "description": "d", "version": "1"});
        serde_json::json!({"server": server, "_meta": {"io.modelcontextprotocol.registry/official": {"status": status}}})
    };
    let listing = |entries: Vec<serde_json::Value>| {
        let context =
            Context { now: Timestamp::UNIX_EPOCH, provenance_key: "k", previous: None, max_entry_size: 1 << 10 };
        decode(serde_json::Value::from(entries).to_string().as_bytes(), &context).expect("a list")
    };
    let (mut walk, now) = full(None);
    let first = listing(vec![deleted(0, "deleted"), deleted(1, "deleted"), deleted(2, "active"), deleted(3, "active")]);
    walk.observe(Ok(first), now, 0.0).expect("finishes");
    let (mut walk, now) = full(Some(Arc::new(walk.snapshot().0)));
    walk.observe(Err(status(400)), now, 0.0).expect("is asked otherwise");
    let second = listing(vec![deleted(1, "active"), deleted(2, "active")]);
    walk.observe(Ok(second), now, 0.0).expect("finishes");
    let after = walk.snapshot().0;
    let is_deleted = |number: u32| after.entry(&format!("a/{number}"), "1").map(|entry| entry.is_deleted());
    assert_eq!([0, 1, 2, 3].map(is_deleted), [Some(true), Some(false), Some(false), None]);
    assert_eq!(after.versions, 3);
}

#[test]
fn a_page_that_comes_twice_is_not_a_list_that_has_shrunk() {
    let (mut walk, now) = full(None);
    walk.observe(Ok(page(0..5, None)), now, 0.0).expect("finishes");
    let (mut walk, now) = full(Some(Arc::new(walk.snapshot().0)));
    walk.observe(Ok(page(0..3, Some("c1"))), now, 0.0).expect("goes on");
    let again = walk.observe(Ok(page(0..3, Some("c1"))), now, 0.0);
    assert!(matches!(again, Err(WalkError::Unbounded { page: 2, .. })), "{again:?}");
}

#[test]
fn a_static_host_repeats_its_only_page() {
    let (mut walk, now) = full(None);
    walk.observe(Ok(page(0..3, Some("c1"))), now, 0.0).expect("goes on");
    assert!(matches!(walk.observe(Ok(page(0..3, Some("c1"))), now, 0.0), Ok(Progress::Finished)));
    assert_eq!(walk.snapshot().0.versions, 3);
}

#[test]
fn circles_fail_the_walk() {
    for (second, third) in [
        (page(0..3, Some("c2")), None),
        (page(0..3, None), None),
        (page(1..3, None), None),
        (page(0..2, Some("c1")), None),
        (page(3..6, Some("c1")), None),
        (page(0..0, Some("c2")), None),
        (page(3..6, Some("c2")), Some(page(3..6, Some("c2")))),
    ] {
        let (mut walk, now) = full(None);
        walk.observe(Ok(page(0..3, Some("c1"))), now, 0.0).expect("goes on");
        let mut result = walk.observe(Ok(second), now, 0.0);
        if let Some(third) = third {
            result.expect("goes on");
            result = walk.observe(Ok(third), now, 0.0);
        }
        assert!(matches!(result, Err(WalkError::Unbounded { .. })), "{result:?}");
    }
}

#[test]
fn a_list_that_became_empty_is_not_believed() {
    let (mut walk, now) = full(None);
    walk.observe(Ok(page(0..3, None)), now, 0.0).expect("finishes");
    let (mut walk, now) = full(Some(Arc::new(walk.snapshot().0)));
    assert!(matches!(walk.observe(Ok(page(0..0, None)), now, 0.0), Err(WalkError::Emptied { before: 3 })));
}

#[test]
fn a_list_of_which_everything_was_deleted_may_become_empty() {
    let context = Context { now: Timestamp::UNIX_EPOCH, provenance_key: "k", previous: None, max_entry_size: 1 << 10 };
    let deleted = br#"[{"server":{"name":"a/1","description":"d","version":"1"},
        "_meta":{"io.modelcontextprotocol.registry/official":{"status":"deleted"}}}]"#;
    let (mut walk, now) = full(None);
    walk.observe(Ok(decode(deleted, &context).expect("a list")), now, 0.0).expect("finishes");
    let (mut walk, now) = full(Some(Arc::new(walk.snapshot().0)));
    let result = walk.observe(Ok(page(0..0, None)), now, 0.0);
    assert!(matches!(result, Ok(Progress::Finished)), "the registry does not know `include_deleted`: {result:?}");
}

#[test]
fn a_list_that_moved_is_not_believed_to_have_become_empty() {
    let (mut walk, now) = full(None);
    walk.observe(Ok(page(0..3, None)), now, 0.0).expect("finishes");
    let known = Known { visible: walk.snapshot().0.visible_versions(), ..Known::default() };
    let mut walk = Walk::full("https://x.example/v0/servers".into(), known, Limits::default(), now);
    assert!(matches!(walk.observe(Ok(page(0..0, None)), now, 0.0), Err(WalkError::Emptied { before: 3 })));
}

#[test]
fn a_list_of_which_nothing_can_be_decoded_any_more_is_not_believed() {
    let (mut walk, now) = full(None);
    walk.observe(Ok(page(0..3, None)), now, 0.0).expect("finishes");
    let (mut walk, now) = full(Some(Arc::new(walk.snapshot().0)));
    let context = Context { now: Timestamp::UNIX_EPOCH, provenance_key: "k", previous: None, max_entry_size: 1 << 10 };
    let broken = br#"{"servers":[{"server":{"name":"a/1","version":"1"}}]}"#;
    let broken = decode(broken, &context).expect("a list");
    assert!(matches!(walk.observe(Ok(broken), now, 0.0), Err(WalkError::Emptied { before: 3 })));
}

#[test]
fn a_page_of_bad_entries_fails_a_walk_only_at_its_beginning() {
    let context = Context { now: Timestamp::UNIX_EPOCH, provenance_key: "k", previous: None, max_entry_size: 1 << 10 };
    let junk = || decode(br#"{"servers":[{"foo":1},{"foo":2}]}"#, &context).expect("a list");
    let (mut walk, now) = full(None);
    assert!(matches!(walk.observe(Ok(junk()), now, 0.0), Ok(Progress::Continues)), "it is asked for again");
    assert!(matches!(walk.next(now), Ok(Next::Wait(_))));
    let (mut walk, now) = full(None);
    walk.observe(Ok(page(0..3, Some("c1"))), now, 0.0).expect("goes on");
    assert!(matches!(walk.observe(Ok(junk()), now, 0.0), Ok(Progress::Finished)));
    let (listing, refused) = walk.snapshot();
    assert_eq!((listing.versions, refused.count), (3, 2));
}

#[test]
fn a_walk_without_a_new_page_is_given_up() {
    let (mut walk, mut now) = full(None);
    walk.observe(Ok(page(0..3, Some("c1"))), now, 0.0).expect("goes on");
    let last_page_at = now;
    while let Ok(next) = walk.next(now) {
        match next {
            Next::Wait(until) => now = until,
            Next::Fetch(_) => walk.observe(Err(status(503)), now, 1.0).map(|_| ()).expect("is retried"),
        }
    }
    assert_eq!(now, last_page_at + GIVE_UP_AFTER);
    let error = walk.next(now).expect_err("given up").to_string();
    assert!(error.contains("page 2") && error.contains("503"), "{error}");
}

#[test]
fn an_unchanged_list_keeps_every_server_of_the_listing_before() {
    let (mut walk, now) = full(None);
    walk.observe(Ok(page(0..3, None)), now, 0.0).expect("finishes");
    let before = Arc::new(walk.snapshot().0);
    let (mut walk, now) = full(Some(Arc::clone(&before)));
    walk.observe(Ok(page_after(Some(&before), 0..4, None)), now, 0.0).expect("finishes");
    let after = walk.snapshot().0;
    let shared = before.servers.iter().zip(&after.servers).filter(|(old, new)| Arc::ptr_eq(old, new)).count();
    assert_eq!((shared, after.versions), (3, 4));
}

#[test]
fn an_increment_adds_and_replaces_and_removes_nothing() {
    let (mut walk, now) = full(None);
    walk.observe(Ok(page(0..3, None)), now, 0.0).expect("finishes");
    let base = Arc::new(walk.snapshot().0);
    let mut walk = Walk::since(Arc::clone(&base.url), Timestamp::UNIX_EPOCH, Limits::default(), now);
    assert_eq!(query(&walk, now).updated_since, Some(Timestamp::UNIX_EPOCH));
    assert!(matches!(walk.observe(Ok(page_after(Some(&base), 2..5, None)), now, 0.0), Ok(Progress::Finished)));
    let after = base.with_changes(&walk.snapshot().0);
    assert_eq!(after.versions, 5);
    let is_shared = |name: &str| Arc::ptr_eq(base.server(name).expect("listed"), after.server(name).expect("listed"));
    assert!(["a/0", "a/1", "a/2"].into_iter().all(is_shared), "what did not change stays where it was");
    assert!(after.servers.is_sorted_by(|before, next| before.name < next.name));
}

#[test]
fn a_full_walk_keeps_what_an_increment_brought_meanwhile_and_later_pages_count_over_it() {
    let (mut walk, now) = full(None);
    walk.observe(Ok(page(0..3, Some("c1"))), now, 0.0).expect("goes on");
    let changed = page_of("changed", 0..6);
    for (name, entry) in &changed.entries {
        walk.insert(name, Arc::clone(entry));
    }
    walk.observe(Ok(page(3..5, None)), now, 0.0).expect("finishes");
    let listing = walk.snapshot().0;
    let is_changed =
        |number: u32| listing.entry(&format!("a/{number}"), "1").expect("listed").server().contains("changed");
    assert_eq!((0..6).map(is_changed).collect::<Vec<_>>(), [true, true, true, false, false, true]);
}

#[test]
fn what_an_increment_brought_does_not_make_an_empty_list_believable() {
    let (mut walk, now) = full(None);
    walk.observe(Ok(page(0..3, None)), now, 0.0).expect("finishes");
    let (mut walk, now) = full(Some(Arc::new(walk.snapshot().0)));
    let changed = page_of("changed", 0..1);
    walk.insert(&changed.entries[0].0, Arc::clone(&changed.entries[0].1));
    assert!(matches!(walk.observe(Ok(page(0..0, None)), now, 0.0), Err(WalkError::Emptied { before: 3 })));
}

#[test]
fn a_walk_has_a_bound_in_all() {
    let (mut walk, mut now) = full(None);
    let began_at = now;
    let mut pages = 0;
    while walk.next(now).is_ok() {
        let cursor = format!("c{pages}");
        walk.observe(Ok(page(pages..pages + 1, Some(&cursor))), now, 0.0).expect("goes on");
        pages += 1;
        now = (now + GIVE_UP_AFTER / 2).min(walk.deadline());
    }
    assert_eq!(now, began_at + Limits::default().walk_timeout);
    assert!(matches!(walk.next(now), Err(WalkError::TooLong { page, .. }) if page == pages + 1));
    for (limit, expected) in [(500, "0.5 s"), (45_000, "45 s"), (90_000, "90 s"), (43_200_000, "720 minutes")] {
        let error = WalkError::TooLong { page: 1, limit: Duration::from_millis(limit) };
        assert_eq!(error.to_string(), format!("page 1: given up after {expected} (`limits.walk_timeout`)"));
    }
}
