use super::*;

const SERVER: &str = r#"{"name":"a/b","title":"A \u0000B","description":"C\nÉ","version":"1\u002e0"}"#;

fn parts(status: Status, rendered: &str) -> Parts<'_> {
    let at = "2025-12-09T00:18:46.7529Z".parse().expect("a timestamp");
    Parts {
        server: SERVER.into(),
        official: Official { status, published_at: at, updated_at: at, rendered: rendered.into() },
        extra_meta: String::new(),
        upstream: None,
        legacy_ids: None,
        digest: Digest([1; 32]),
        form: Form([2; 16]),
        facets: Facets::new([]),
        fetched_at: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn an_entry_takes_so_much_room() {
    assert_eq!(size_of::<Entry>(), 144);
}

#[test]
fn texts_are_read_where_they_stand() {
    let entry = Entry::new(parts(Status::Active, "")).expect("it has a name and a version");
    assert_eq!((entry.version(), &*entry.search_text()), ("1.0", "a  b\0c\né"));
}

#[test]
fn a_server_comes_back_as_it_was() {
    let begun = |schema: &str| SERVER.replacen('{', &format!(r#"{{"$schema":"{schema}","#), 1);
    let usual = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";
    for server in [SERVER.to_owned(), begun("x"), begun(usual)] {
        let entry = Entry::new(Parts { server: server.as_str().into(), ..parts(Status::Active, "") });
        let entry = entry.expect("it has a name and a version");
        assert_eq!((entry.server(), entry.server_length()), (server.clone(), server.len()));
        assert_eq!((entry.version(), &*entry.search_text()), ("1.0", "a  b\0c\né"));
    }
}

#[test]
fn every_official_block_comes_back_as_it_was() {
    let (at, later) = ("2025-12-09T00:18:46.7529Z", "2026-01-01T00:00:00Z");
    let block = |changed: &str, updated: &str| {
        format!(r#""status":"deleted","statusChangedAt":"{changed}","publishedAt":"{at}","updatedAt":"{updated}""#)
    };
    let spelled = block(at, later).replace("7529Z", "75290Z");
    for (status, rendered, is_usual) in [
        (Status::Deleted, block(at, later), true),
        (Status::Deleted, block(later, later), true),
        (Status::Deleted, block(at, at), false),
        (Status::Active, block(at, later), false),
        (Status::Deleted, spelled, false),
        (Status::Deleted, block(at, later) + r#","x":1"#, false),
        (Status::Other("deleted".into()), block(at, later), false),
        (Status::Active, String::new(), false),
    ] {
        let mut parts = parts(status.clone(), &rendered);
        parts.official.updated_at = later.parse().expect("a timestamp");
        let entry = Entry::new(parts).expect("it has a name and a version");
        assert_eq!((entry.status(), &*entry.official()), (&status, rendered.as_bytes()));
        assert_eq!((entry.official_length(), entry.unusual_official().is_none()), (rendered.len(), is_usual));
    }
}

#[test]
fn what_is_written_in_another_way_is_another_one() {
    let (at, later) = ("2025-12-09T00:18:46.7529Z", "2026-01-01T00:00:00Z");
    let block = |status: &str, changed: &str, updated: &str| {
        format!(r#""status":"{status}","statusChangedAt":"{changed}","publishedAt":"{at}","updatedAt":"{updated}""#)
    };
    let usual = |change: &dyn Fn(&mut Parts<'_>)| {
        let rendered = block("active", at, later);
        let mut parts = parts(Status::Active, &rendered);
        parts.official.updated_at = later.parse().expect("a timestamp");
        change(&mut parts);
        let mut identity = Vec::new();
        Entry::new(parts).expect("it has a name and a version").push_identity(&mut identity);
        identity
    };
    let official = |rendered: String| move |parts: &mut Parts<'_>| parts.official.rendered = rendered.clone().into();
    let identities = [
        usual(&|_| {}),
        usual(&|parts| parts.form = Form([3; 16])),
        usual(&|parts| parts.digest = Digest([3; 32])),
        usual(&|parts| parts.fetched_at = Timestamp::from_second(1).expect("in range")),
        usual(&|parts| {
            parts.official.status = Status::Deleted;
            parts.official.rendered = block("deleted", at, later).into();
        }),
        usual(&official(block("active", later, later))),
        usual(&official(block("active", at, later) + r#","x":1"#)),
        usual(&official(block("active", at, later) + r#","x":2"#)),
        usual(&|parts| {
            parts.official.updated_at = at.parse().expect("a timestamp");
            parts.official.rendered = block("active", at, at).into();
        }),
    ];
    assert_eq!(identities[0], usual(&|_| {}));
    for (at, one) in identities.iter().enumerate() {
        assert!(identities[at + 1..].iter().all(|other| !other.starts_with(one) && !one.starts_with(other)), "{at}");
    }
}
