use super::*;

const ADD: Change<'_> = Change::Add { name: "new", url: "https://new.example/v0?a=b#\"c\"" };

fn remove(name: &str) -> Change<'_> {
    Change::Remove { name }
}

#[track_caller]
fn becomes(syntax: Syntax, text: &str, change: Change<'_>, expected: &str) {
    let edited = changed(text, syntax, change);
    assert_eq!(edited.as_deref(), Ok(expected), "{change:?} of\n{text}\nis\n{}", edited.clone().unwrap_or_default());
}

const TOML: &str = "# about the file
[server]
listen = \"127.0.0.1:1\" # here

# About all registries.

# the first
[[registries]]
name = \"a\"   # a's name
url = \"https://a.example\"
# url = \"https://other.example\"

[registries.headers]
X-A = \"1\"

# the second
# is two lines
[[registries]]
name = \"b\"
url = \"https://b.example\"

# the third
[[registries]]
name = 'c'
url = \"https://c.example\"

[log]
level = \"warn\"
";

#[test]
fn a_registry_is_added_to_toml_after_the_last_one() {
    let block = "\n[[registries]]\nname = \"new\"\nurl = 'https://new.example/v0?a=b#\"c\"'\n";
    let expected = TOML.replace("\n[log]", &format!("{block}\n[log]"));
    becomes(Syntax::Toml, TOML, ADD, &expected);
    becomes(Syntax::Toml, "", ADD, block.trim_start());
    becomes(Syntax::Toml, "# nothing\nlog.level = \"warn\"", ADD, &format!("# nothing\nlog.level = \"warn\"\n{block}"));
    let with_headers = "[[registries]]\nname = \"a\"\nurl = \"u\"\n[registries.headers]\nX = \"1\" # one\n# end\n";
    becomes(Syntax::Toml, with_headers, ADD, &with_headers.replace("# end\n", &format!("{block}# end\n")));
    let windows = TOML.replace('\n', "\r\n");
    becomes(Syntax::Toml, &windows, ADD, &expected.replace('\n', "\r\n"));
}

#[test]
fn a_registry_is_removed_from_toml_with_its_own_comments_only() {
    let without = |gone: &str| TOML.replacen(gone, "", 1);
    let a = &TOML[TOML.find("# the first").expect("a")..TOML.find("# the second").expect("b")];
    let b = &TOML[TOML.find("# the second").expect("b")..TOML.find("# the third").expect("c")];
    let c = &TOML[TOML.find("# the third").expect("c")..TOML.find("[log]").expect("log")];
    for (name, gone) in [("a", a), ("b", b), ("c", c)] {
        becomes(Syntax::Toml, TOML, remove(name), &without(gone));
    }
    // A comment that stands as close to the one as to the other may be the other's.
    let close = "[[registries]]\nname = \"a\"\nurl = \"u\"\n# whose?\n[[registries]]\nname = \"b\"\nurl = \"u\"\n";
    becomes(Syntax::Toml, close, remove("a"), "# whose?\n[[registries]]\nname = \"b\"\nurl = \"u\"\n");
    becomes(Syntax::Toml, close, remove("b"), "[[registries]]\nname = \"a\"\nurl = \"u\"\n# whose?\n");
    let head =
        "# My registries.\n[[registries]]\nname = \"a\"\nurl = \"u\"\n\n[[registries]]\nname = \"b\"\nurl = \"u\"";
    becomes(Syntax::Toml, head, remove("b"), "# My registries.\n[[registries]]\nname = \"a\"\nurl = \"u\"\n");
    becomes(Syntax::Toml, head, remove("a"), "# My registries.\n\n[[registries]]\nname = \"b\"\nurl = \"u\"");
}

#[test]
fn toml_lists_in_brackets_keep_their_form() {
    let list = "registries = [\n  { name = \"a\", url = \"u\" }, # first\n  { name = \"b\", url = \"u\" },\n]\n";
    becomes(
        Syntax::Toml,
        list,
        Change::Add { name: "new", url: "https://n.example" },
        &list.replace("},\n]", "},\n  { name = \"new\", url = \"https://n.example\" },\n]"),
    );
    let without_b = "registries = [\n  { name = \"a\", url = \"u\" },\n]\n";
    becomes(Syntax::Toml, list, remove("b"), without_b);
    let short = "registries = [{ name = \"a\", url = \"u\" }]";
    let longer = "registries = [{ name = \"a\", url = \"u\" }, { name = \"n\", url = \"u\" }]\n";
    becomes(Syntax::Toml, short, Change::Add { name: "n", url: "u" }, longer);
    let windows = |text: &str| text.replace('\n', "\r\n");
    becomes(Syntax::Toml, &windows(list), remove("b"), &windows(without_b));
    becomes(Syntax::Toml, longer, remove("n"), &format!("{short}\n"));
}

#[test]
fn toml_whose_tables_are_not_together_is_left_alone() {
    let apart = "[[registries]]\nname = \"a\"\nurl = \"u\"\n[log]\nlevel = \"warn\"\n[registries.headers]\nX = \"1\"\n";
    assert!(changed(apart, Syntax::Toml, ADD).is_err_and(|problem| problem.contains("other tables")));
}

const YAML: &str = "# about the file
server:
  listen: 127.0.0.1:1 # here
registries:
  # the first
  - name: a # a's name
    url: https://a.example
    headers:
      X-A: \"# no comment\"

  # the second
  - url: https://b.example
    name: b

  # the third
  - {name: c, url: 'https://c.example'}

log: {level: warn}
";

#[test]
fn a_registry_is_added_to_yaml_after_the_last_one() {
    let block = "  - name: \"new\"\n    url: \"https://new.example/v0?a=b#\\\"c\\\"\"\n";
    becomes(Syntax::Yaml, YAML, ADD, &YAML.replace("\n\nlog:", &format!("\n\n{block}\nlog:")));
    becomes(Syntax::Yaml, "", ADD, &format!("registries:\n{block}"));
    becomes(Syntax::Yaml, "registries: []\nlog: {}\n", ADD, &format!("registries:\n{block}log: {{}}\n"));
    let flat = "registries:\n- name: a\n  url: u\n# end\n";
    let expected = flat.replace("# end\n", &format!("{}# end\n", block.replace("\n  ", "\n").trim_start_matches(' ')));
    becomes(Syntax::Yaml, flat, ADD, &expected);
    let text = "registries:\n- name: a\n  url: u\n  headers:\n    X: |\n      # a text\n\n# end\n";
    becomes(
        Syntax::Yaml,
        text,
        ADD,
        &text.replace("\n\n#", &format!("\n{}\n#", block.replace("\n  ", "\n").trim_start_matches(' '))),
    );
    let windows = YAML.replace('\n', "\r\n");
    becomes(
        Syntax::Yaml,
        &windows,
        ADD,
        &windows.replace("\r\n\r\nlog:", &format!("\n\n{block}\nlog:").replace('\n', "\r\n")),
    );
}

#[test]
fn a_registry_is_removed_from_yaml_with_its_own_comments_only() {
    let a = &YAML[YAML.find("  # the first").expect("a")..YAML.find("  # the second").expect("b")];
    let b = &YAML[YAML.find("  # the second").expect("b")..YAML.find("  # the third").expect("c")];
    let c = &YAML[YAML.find("  # the third").expect("c")..YAML.find("log:").expect("log")];
    // Right below the key, nobody knows whose the first comment is.
    let (comment, rest) = a.split_once('\n').expect("lines");
    assert_eq!(comment, "  # the first");
    for (name, gone) in [("a", rest.trim_end_matches('\n')), ("b", b), ("c", c)] {
        let expected = YAML.replacen(gone, "", 1).replace("  # the first\n\n\n", "  # the first\n\n");
        becomes(Syntax::Yaml, YAML, remove(name), &expected);
    }
}

#[test]
fn yaml_that_is_written_otherwise_is_left_alone() {
    for text in [
        "registries: [{name: a, url: u}, {name: b, url: u}]\n",
        "{registries: [{name: a, url: u}, {name: b, url: u}]}\n",
        "\"registries\":\n  - {name: a, url: u}\n  - {name: b, url: u}\n",
        "registries:\n  - &x\n    name: a\n    url: u\n  - <<: *x\n    name: b\n",
    ] {
        for change in [ADD, remove("a")] {
            let edited = changed(text, Syntax::Yaml, change);
            assert!(edited.is_err() || text.contains('&') && change_is_add(change), "{text}\n{edited:?}");
        }
    }
}

fn change_is_add(change: Change<'_>) -> bool {
    matches!(change, Change::Add { .. })
}

const JSON: &str = "{
  \"server\": {\"listen\": \"127.0.0.1:1\"},
  \"registries\": [
    {
      \"name\": \"a\",
      \"url\": \"https://a.example\"
    },
    {
      \"name\": \"b\",   \"url\": \"https://b.example\"
    }
  ],
  \"log\":   {}
}
";

#[test]
fn json_keeps_its_form() {
    let b = "    {\n      \"name\": \"b\",   \"url\": \"https://b.example\"\n    }";
    let new = "    {\n      \"name\": \"new\",\n      \"url\": \"https://new.example/v0?a=b#\\\"c\\\"\"\n    }";
    becomes(Syntax::Json, JSON, ADD, &JSON.replace(b, &format!("{b},\n{new}")));
    becomes(Syntax::Json, JSON, remove("b"), &JSON.replace(&format!(",\n{b}"), ""));
    let a = "    {\n      \"name\": \"a\",\n      \"url\": \"https://a.example\"\n    },\n";
    becomes(Syntax::Json, JSON, remove("a"), &JSON.replace(a, ""));
    for text in ["{}", "{\"log\":{}}\n", "{\"registries\":[]}"] {
        let edited = changed(text, Syntax::Json, ADD).unwrap_or_else(|problem| panic!("{text} {problem}"));
        assert!(edited.contains("\"new\""), "{edited}");
    }
}

#[test]
fn what_a_name_or_a_url_holds_stays_a_text() {
    for name in ["1", "true", "null", "1e3", "0x1", "2026-01-01", "a"] {
        for url in ["https://x.example", "a: b # c", "\u{7}\n\"'\\", "- x", "{}"] {
            for syntax in [Syntax::Toml, Syntax::Yaml, Syntax::Json] {
                let empty = if syntax == Syntax::Json { "{}" } else { "" };
                let edited = changed(empty, syntax, Change::Add { name, url });
                assert!(edited.is_ok(), "{name:?} {url:?} {syntax:?} {edited:?}");
            }
        }
    }
}
