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
    becomes(Syntax::Toml, with_headers, ADD, &format!("{with_headers}{block}"));
    // A key that is commented out stays with its registry; what is as close to the next table may be that one's.
    let token = "[[registries]]\nname = \"a\"\nurl = \"u\"\n# its token:\n# bearer_token = \"t\"\n";
    becomes(Syntax::Toml, token, ADD, &format!("{token}{block}"));
    let close = format!("{token}# logs\n[log]\nlevel = \"warn\"\n");
    becomes(Syntax::Toml, &close, ADD, &close.replace("# logs", &format!("{block}# logs")));
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
    // What the file ends with may be about anything.
    let end = format!("{head}\n# The end.\n");
    becomes(
        Syntax::Toml,
        &end,
        remove("b"),
        "# My registries.\n[[registries]]\nname = \"a\"\nurl = \"u\"\n\n# The end.\n",
    );
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
    let without_b = "registries = [\n  { name = \"a\", url = \"u\" }, # first\n]\n";
    becomes(Syntax::Toml, list, remove("b"), without_b);
    becomes(Syntax::Toml, list, remove("a"), "registries = [\n  { name = \"b\", url = \"u\" },\n]\n");
    let short = "registries = [{ name = \"a\", url = \"u\" }]";
    let longer = "registries = [{ name = \"a\", url = \"u\" }, { name = \"n\", url = \"u\" }]\n";
    becomes(Syntax::Toml, short, Change::Add { name: "n", url: "u" }, longer.trim_end());
    let windows = |text: &str| text.replace('\n', "\r\n");
    becomes(Syntax::Toml, &windows(list), remove("b"), &windows(without_b));
    becomes(Syntax::Toml, longer, remove("n"), &format!("{short}\n"));
}

#[test]
fn in_a_list_in_brackets_every_comment_stays_with_its_element() {
    let entry = |name: &str| format!("{{ name = \"{name}\", url = \"u\" }}");
    let [a, b, c, n] = ["a", "b", "c", "n"].map(entry);
    let add = Change::Add { name: "n", url: "u" };
    let of = |elements: &str| format!("registries = [{elements}] # all\n[log]\nlevel = \"warn\"\n");
    // What is below the last one is not about the new one.
    let list = |more: &str| of(&format!("\n  # one\n  {a}, # first\n  {b}, # second\n  # token = \"t\"\n{more}"));
    becomes(Syntax::Toml, &list(""), add, &list(&format!("  {n},\n")));
    becomes(Syntax::Toml, &of(&format!("\n  {a} # first\n")), add, &of(&format!("\n  {a}, # first\n  {n}\n")));
    becomes(Syntax::Toml, &of(&format!("\n  {a},\n  {b}")), add, &of(&format!("\n  {a},\n  {b},\n  {n}")));
    becomes(Syntax::Toml, &of(&format!("{a}\n")), add, &of(&format!("{a},\n  {n}\n")));
    becomes(Syntax::Toml, &of(&format!("{a},")), add, &of(&format!("{a}, {n},")));
    becomes(Syntax::Toml, &of(""), add, &of(&n));
    becomes(Syntax::Toml, &of(" # none yet\n"), add, &of(&format!(" # none yet\n  {n},\n")));

    let three = of(&format!("\n  {a}, # first\n  {b} , # second\n  {c}  # third\n"));
    becomes(Syntax::Toml, &three, remove("a"), &three.replace(&format!("  {a}, # first\n"), ""));
    becomes(Syntax::Toml, &three, remove("b"), &three.replace(&format!("  {b} , # second\n"), ""));
    becomes(Syntax::Toml, &three, remove("c"), &three.replace(&format!("  {c}  # third\n"), ""));
    let flat = of(&format!("{a}, {b}, {c}"));
    becomes(Syntax::Toml, &flat, remove("a"), &of(&format!("{b}, {c}")));
    becomes(Syntax::Toml, &flat, remove("b"), &of(&format!("{a}, {c}")));
    becomes(Syntax::Toml, &flat, remove("c"), &of(&format!("{a}, {b}")));
    let mixed = of(&format!("{a}, # first\n  {b}"));
    becomes(Syntax::Toml, &mixed, remove("a"), &of(&format!("\n  {b}")));
    becomes(Syntax::Toml, &mixed, remove("b"), &of(&format!("{a}, # first\n  ")));
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
    for (head, kept) in [
        ("registries:", "registries:"),
        ("registries: # none yet", "registries: # none yet"),
        ("registries: []  # none yet", "registries: # none yet"),
        ("registries: ~", "registries:"),
    ] {
        let text = |head: &str| format!("{head}\n  # one may be here\nlog: {{}}\n");
        let expected = text(kept).replace("  # one", &format!("{block}  # one"));
        becomes(Syntax::Yaml, &text(head), ADD, &expected);
    }
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
fn what_stands_below_an_item_of_yaml_is_its_own_only_if_it_is_indented() {
    let one = "registries:\n  - name: a\n    url: u\n";
    for rest in ["# about the rest\n\nlog: {}\n", "# the end\n", "\n# the end\n", "  # or here\n"] {
        becomes(Syntax::Yaml, &format!("{one}  - name: b\n    url: u\n{rest}"), remove("b"), &format!("{one}{rest}"));
    }
    let own = format!("{one}  - name: b\n    url: u\n    # bearer_token: t\n# the end\n");
    becomes(Syntax::Yaml, &own, remove("b"), &format!("{one}# the end\n"));
    // Nothing of a text stays behind, though its lines look like others.
    let text = "  - name: b\n    url: u\n    headers:\n      X: |\n        one\n\n        # two\n\n\n        # three\n";
    for rest in ["", "\nlog: {}\n", "  - name: c\n    url: u\n"] {
        becomes(Syntax::Yaml, &format!("{one}{text}{rest}"), remove("b"), &format!("{one}{rest}"));
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
