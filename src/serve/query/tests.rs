use serde_json::Value;

use super::*;

fn ok(query: &str) -> ListQuery {
    list(Some(query)).unwrap_or_else(|problem| panic!("{query}: {problem:?}"))
}

fn invalid(query: &str) -> Vec<(String, String, Value)> {
    match list(Some(query)) {
        Err(Problem::Validation(errors)) => errors
            .into_iter()
            .map(|error| (error.message.into_owned(), error.location.into_owned(), error.value))
            .collect(),
        other => panic!("{query}: {other:?}"),
    }
}

fn bad(query: &str) -> String {
    match list(Some(query)) {
        Err(Problem::BadRequest(detail)) => detail.into_owned(),
        other => panic!("{query}: {other:?}"),
    }
}

#[test]
fn limits_are_read_as_go_reads_integers() {
    for (query, limit) in [("", 30), ("limit=", 30), ("limit=05", 5), ("limit=%2B7", 7), ("limit=100", 100)] {
        assert_eq!(ok(query).limit, limit, "{query}");
    }
    let error = |message: &str, value: Value| vec![(message.to_owned(), "query.limit".to_owned(), value)];
    assert_eq!(invalid("limit=0"), error("expected number >= 1", 0.into()));
    assert_eq!(invalid("limit=-1"), error("expected number >= 1", (-1).into()));
    assert_eq!(invalid("limit=101"), error("expected number <= 100", 101.into()));
    for text in ["abc", "1e2", "5.0", "99999999999999999999", "0x5", "-"] {
        assert_eq!(invalid(&format!("limit={text}")), error("invalid integer", text.into()), "{text}");
    }
}

#[test]
fn all_invalid_parameters_are_reported_together() {
    let errors = invalid("limit=abc&include_deleted=maybe&updated_since=yesterday");
    let locations: Vec<_> = errors.iter().map(|(_, location, _)| location.as_str()).collect();
    assert_eq!(locations, ["query.limit", "query.include_deleted"]);
    assert_eq!(errors[1], ("invalid boolean".to_owned(), "query.include_deleted".to_owned(), "maybe".into()));
}

#[test]
fn the_first_of_repeated_parameters_counts_and_unknown_ones_do_not() {
    assert_eq!(ok("limit=5&limit=abc&source=cli").limit, 5);
    assert_eq!(ok("search=").filter, Filter::default());
}

#[test]
fn a_plus_is_a_space_and_letter_case_does_not_matter() {
    assert_eq!(ok("search=Web+Search").filter, ok("search=web%20search").filter);
}

#[test]
fn what_reads_as_an_escaped_nul_is_none() {
    assert_eq!(ok("search=%2500").filter.search.as_deref(), Some("%00"));
}

#[test]
fn updated_since_needs_a_full_timestamp() {
    for good in ["2025-08-07T13:15:04.280Z", "2025-08-07T13:15:04Z", "2025-08-07T15:15:04%2B02:00"] {
        assert!(ok(&format!("updated_since={good}")).filter.updated_since.is_some(), "{good}");
    }
    let since = |text: &str| ok(&format!("updated_since={text}")).filter.updated_since.expect("an instant");
    assert_eq!(since("2025-08-07T13:15:04.1234567890123Z"), since("2025-08-07T13:15:04.123456789Z"));
    assert_eq!(since("2025-08-07T15:15:04.5%2B02:00"), since("2025-08-07T13:15:04.5Z"));
    assert_eq!(since("2025-08-07T08:45:04-04:30"), since("2025-08-07T13:15:04Z"));
    for (edge, instant) in
        [("9999-12-31T23:59:59Z", jiff::Timestamp::MAX), ("0000-01-01T00:00:00Z", since("0000-01-01T00:00:00Z"))]
    {
        assert_eq!(since(edge), instant, "{edge}");
    }
    for text in [
        "yesterday",
        "2025-08-07",
        "2025-08-07T13:15:04",
        "2025-08-07T13:15Z",
        "2025-08-07+13:15:04Z",
        "2025-08-07T13:15:04+02:00",
        "2025-13-07T13:15:04Z",
        "2025-08-07T13:15:60Z",
        "2025-08-07T13:15:04.Z",
        "2025-08-07T13:15:04.5x6Z",
        "2025-08-07T13:15:04-2:00",
        "2025-08-07T13:15:04%2B25:00",
        "2025-08-07T13:15:04%2B1:000",
        "2025-08-07t13:15:04Z",
        "Z",
    ] {
        assert!(bad(&format!("updated_since={text}")).starts_with("Invalid updated_since format"), "{text}");
    }
    assert!(bad("updated_since=2025-08-07T13:15:04Z&include_deleted=false").starts_with("Cannot set include_deleted"));
}

#[test]
fn a_cursor_carries_the_filters_and_contradictions_are_errors() {
    let first = ok("search=Git&version=latest");
    let position = Position { name: "a/b".into(), version: None };
    let cursor = cursor::encode(&first.filter, &position);
    for query in ["", "&version=latest", "&search=git", "&search=&limit=7"] {
        let next = ok(&format!("cursor={cursor}{query}"));
        assert_eq!((next.filter, next.after), (first.filter.clone(), Some(position.clone())), "{query}");
    }
    for query in ["search=web", "version=1.0.0", "include_deleted=true", "updated_since=2025-08-07T13:15:04Z"] {
        assert!(bad(&format!("cursor={cursor}&{query}")).starts_with("The cursor belongs to"), "{query}");
    }
    assert_eq!(bad("cursor=nonsense"), "Invalid cursor parameter");
}

#[test]
fn deleted_versions_are_asked_for_as_go_reads_booleans() {
    for query in ["include_deleted", "include_deleted=1", "include_deleted=TRUE", "include_deleted=t"] {
        assert_eq!(include_deleted(Some(query)), Ok(true), "{query}");
    }
    for query in ["", "include_deleted=", "include_deleted=F", "include_deleted=0"] {
        assert_eq!(include_deleted(Some(query)), Ok(false), "{query}");
    }
    assert!(include_deleted(Some("include_deleted=yes")).is_err());
}

#[test]
fn a_search_term_fits_in_a_cursor() {
    assert_eq!(ok(&format!("search={}", "x".repeat(256))).filter.search.map(|term| term.len()), Some(256));
    assert_eq!(invalid(&format!("search={}", "x".repeat(257)))[0].0, "expected length <= 256");
}

#[test]
fn our_filters_have_one_canonical_form_and_go_into_the_cursor() {
    let asked = "registry=acme&type=remote&package_type=NPM&transport=Streamable-HTTP&status=deprecated";
    let filter = ok(asked).filter;
    assert_eq!(filter, ok(&asked.to_lowercase()).filter);
    let cursor = cursor::encode(&filter, &Position { name: "a/b".into(), version: None });
    assert_eq!(ok(&format!("cursor={cursor}")).filter, filter);
    assert_eq!(ok(&format!("cursor={cursor}&{asked}")).filter, filter);
    for query in ["registry=other", "type=package", "package_type=oci", "transport=sse", "status=active"] {
        assert!(bad(&format!("cursor={cursor}&{query}")).starts_with("The cursor belongs to"), "{query}");
    }
}

#[test]
fn a_kind_or_status_that_does_not_exist_is_invalid() {
    let errors = invalid("type=packages&status=Active");
    assert_eq!(errors[0].0, "expected value to be one of \"package, remote\"");
    assert_eq!(errors[1].0, "expected value to be one of \"active, deprecated, deleted\"");
    assert_eq!((errors[1].1.as_str(), &errors[1].2), ("query.status", &Value::from("Active")));
}

#[test]
fn the_status_deleted_implies_deleted_versions() {
    let implied = ok("status=deleted").filter;
    assert!(implied.shows_deleted());
    for query in ["status=deleted&include_deleted=true", "status=deleted&include_deleted=false"] {
        assert_eq!(ok(query).filter, implied, "{query}");
        let cursor = cursor::encode(&implied, &Position { name: "a/b".into(), version: None });
        assert_eq!(ok(&format!("{query}&cursor={cursor}")).filter, implied, "{query}");
    }
}
