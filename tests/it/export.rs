//! `export`: the real binary against scripted registries, and what others make of what it wrote.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::binary::Workplace;
use crate::support::entry::{Entry, OFFICIAL, keys};
use crate::support::proxy::Setup;
use crate::support::raw::nobody;
use crate::support::registry::{Behaviour, FakeRegistry};

fn entries() -> Vec<Entry> {
    let packages = json!([{ "registryType": "npm", "identifier": "@example/b", "version": "2.0.0", "transport": { "type": "stdio" } }]);
    let remotes =
        json!([{ "type": "sse", "url": "https://b.example/{tenant}/sse" }, { "type": "sse", "url": "https://*/" }]);
    vec![
        Entry::new("com.example/a", "1.0.0").server("description", "A\nline \u{e9}"),
        Entry::new("com.example/b", "1.0.0"),
        Entry::new("com.example/b", "2.0.0").server("packages", packages).server("remotes", remotes),
        Entry::new("com.example/b", "2.1.0").deleted(),
        Entry::new("com.example/gone", "1.0.0").deleted(),
        Entry::new("../../escape", "1.0.0"),
        Entry::new("no slash", "../1"),
    ]
}

/// A working directory whose configuration has these registries.
fn workplace(registries: &[(&str, &str)]) -> Workplace {
    let workplace = Workplace::new();
    let head = "[network]\nproxy = \"off\"\n[health]\ntimeout = \"5s\"\n".to_owned();
    let sections = registries.iter().map(|(name, url)| format!("[[registries]]\nname = {name:?}\nurl = {url:?}\n"));
    workplace.write("proxy.toml", sections.fold(head, |text, section| text + &section));
    workplace
}

const EXPORT: [&str; 4] = ["export", "--config", "proxy.toml", "--format"];

fn json_in(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).expect("JSON")
}

#[tokio::test]
async fn lines_are_entries_as_they_are_served_and_what_is_missing_is_said() {
    let registry = FakeRegistry::start(entries()).await;
    let workplace = workplace(&[("down", &nobody().await), ("alpha", &registry.url())]);
    let finished = workplace.run(&[&EXPORT[..], &["ndjson"]].concat()).await;
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
    assert!(finished.stderr().contains("warning: `down` is left out: "), "{}", finished.stderr());
    let text = finished.stdout();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut expected: Vec<Value> = entries().into_iter().map(Entry::into_value).collect();
    expected.sort_by_key(|entry| keys(std::slice::from_ref(entry)));
    assert_eq!(keys(&lines), keys(&expected));
    let latest: Vec<&Value> = lines.iter().filter(|line| line["_meta"][OFFICIAL]["isLatest"] == true).collect();
    assert_eq!(latest.len(), 5, "one for each name");

    let finished = workplace.run(&[&EXPORT[..], &["ndjson", "out"]].concat()).await;
    assert_eq!((finished.code(), finished.stdout().as_str()), (Some(0), ""), "{}", finished.stderr());
    assert_eq!(workplace.read("out/catalog.ndjson").lines().count(), lines.len());
}

#[tokio::test]
async fn where_nothing_can_be_fetched_nothing_is_written() {
    let failing = FakeRegistry::start(entries()).await;
    failing.always(Behaviour::status(500));
    let workplace = workplace(&[("down", &nobody().await), ("failing", &failing.url())]);
    for (format, directory) in [("ndjson", None), ("static", Some("out")), ("managed-settings", Some("out"))] {
        let finished = workplace.run(&[&EXPORT[..], &[format], directory.as_slice()].concat()).await;
        assert_eq!((finished.code(), finished.stdout().as_str()), (Some(1), ""), "{format}: {}", finished.stderr());
        for name in ["`down`", "`failing`", "error: nothing could be fetched"] {
            assert!(finished.stderr().contains(name), "{format}: {}", finished.stderr());
        }
        assert!(!workplace.path("out").exists());
    }
}

#[tokio::test]
async fn a_tree_answers_what_clients_ask_and_another_proxy_mirrors_it() {
    let registry = FakeRegistry::start(entries()).await;
    let workplace = workplace(&[("alpha", &registry.url())]);
    let export = [&EXPORT[..], &["static", "site"]].concat();
    let finished = workplace.run(&export).await;
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
    for name in ["`../../escape` is not in the tree", "`no slash` \"../1\" is not in the tree"] {
        assert!(finished.stderr().contains(name), "{}", finished.stderr());
    }
    let site = workplace.path("site");
    let at = |path: &str| json_in(&site.join(path));
    let list = at("v0.1/servers/index.json");
    let names: Vec<&str> = list["servers"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|entry| entry["server"]["name"].as_str())
        .collect();
    assert_eq!(names, ["../../escape", "com.example/a", "com.example/b", "no slash"]);
    assert_eq!((&list["metadata"], at("v0.1/servers/index.html")), (&json!({ "count": 4 }), list.clone()));
    let versions = at("v0.1/servers/com.example/b/versions/index.json");
    assert_eq!(keys(versions["servers"].as_array().expect("a list")).len(), 2, "deleted ones are hidden");
    assert_eq!(at("v0.1/servers/com.example/b/versions/latest"), list["servers"][2]);
    assert_eq!(at("v0.1/servers/com.example/b/versions/2.0.0"), list["servers"][2]);
    assert!(!site.join("v0.1/servers/com.example/gone").exists(), "it is not listed");
    assert!(!workplace.path("escape").exists() && !site.join("escape").exists());

    let mirror =
        Setup::new().file("exported", fs::read(site.join("registry.json")).expect("a file")).start_ready().await;
    let mirrored = mirror.walk("include_deleted=true", 100).await;
    let lines = workplace.run(&[&EXPORT[..], &["ndjson"]].concat()).await.stdout();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let content = |entries: &[Value]| -> Vec<(Value, Value)> {
        entries.iter().map(|entry| (entry["server"].clone(), entry["_meta"][OFFICIAL].clone())).collect()
    };
    assert_eq!(content(&mirrored), content(&lines));
    mirror.stop().await;

    // Again, in its own place; what is gone is gone.
    registry.set_entries(vec![Entry::new("com.example/a", "1.0.0")]);
    let finished = workplace.run(&export).await;
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
    assert!(site.join("v0.1/servers/com.example/a").exists() && !site.join("v0.1/servers/com.example/b").exists());
}

#[tokio::test]
async fn what_no_export_made_is_not_written_over_and_costs_no_walk() {
    let registry = FakeRegistry::start(entries()).await;
    let workplace = workplace(&[("alpha", &registry.url())]);
    fs::create_dir(workplace.path("mine")).expect("a directory");
    workplace.write("mine/thesis.txt", "years of work");
    for place in ["mine", "mine/thesis.txt"] {
        for format in ["static", "ndjson", "managed-settings"] {
            let finished = workplace.run(&[&EXPORT[..], &[format, place]].concat()).await;
            assert_eq!(finished.code(), Some(1), "{}", finished.stderr());
            assert!(finished.stderr().contains(place), "{}", finished.stderr());
        }
    }
    assert_eq!(workplace.read("mine/thesis.txt"), "years of work");
    assert!(registry.requests().is_empty());
    for arguments in [&["static"][..], &["xml"], &["ndjson", "--registry-url", "https://a.example"]] {
        let finished = workplace.run(&[&EXPORT[..], arguments].concat()).await;
        assert_eq!(finished.code(), Some(64), "{arguments:?}: {}", finished.stderr());
    }
}

#[tokio::test]
async fn allow_lists_hold_what_is_listed_and_nothing_that_would_allow_more() {
    let registry = FakeRegistry::start(entries()).await;
    let workplace = workplace(&[("alpha", &registry.url())]);
    let arguments = ["managed-settings", "policy", "--registry-url", "https://mcp.example.com/"];
    let finished = workplace.run(&[&EXPORT[..], &arguments].concat()).await;
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
    for warning in [
        "`com.example/b` is not in the allow-list: its URL",
        "`com.example/a` is not in the allow-list: it has neither",
    ] {
        assert!(finished.stderr().contains(warning), "{}", finished.stderr());
    }
    let settings = json_in(&workplace.path("policy/claude-code/managed-settings.json"));
    let expected = json!({
        "allowManagedMcpServersOnly": true,
        "allowedMcpServers": [
            { "serverCommand": ["npx", "-y", "@example/b"] },
            { "serverCommand": ["npx", "-y", "@example/b@2.0.0"] },
            { "serverUrl": "https://b.example/*/sse" },
        ],
    });
    assert_eq!(settings, expected);
    let policy = json_in(&workplace.path("policy/vscode/policy.json"));
    assert_eq!(policy, json!({ "ChatMCP": "registry", "McpGalleryServiceUrl": "https://mcp.example.com" }));

    let finished = workplace.run(&[&EXPORT[..], &["managed-settings"]].concat()).await;
    assert_eq!(serde_json::from_str::<Value>(&finished.stdout()).expect("JSON"), expected);
}

#[tokio::test]
async fn names_and_reasons_of_registries_cannot_steer_the_terminal_or_feign_a_line() {
    let registry = FakeRegistry::start(vec![
        Entry::new("com.example/a", "1.0.0"),
        Entry::new("x\u{1b}]0;pwn\u{7}", "1.0.0"),
        Entry::new("y\nwarning: `alpha` is fine\u{202e}", "1.0.0"),
        Entry::new("z", "\u{9b}31m\n"),
    ])
    .await;
    let page = FakeRegistry::start(Vec::new()).await;
    page.always(Behaviour::Body("text/html", "<html>\u{1b}]0;pwn\u{7}</html>".into()));
    let workplace = workplace(&[("alpha", &registry.url()), ("page", &page.url())]);
    for (format, part) in [("static", " is not in the tree"), ("managed-settings", " is not in the allow-list")] {
        let finished = workplace.run(&[&EXPORT[..], &[format, "out"]].concat()).await;
        let errors = finished.stderr();
        assert_eq!(finished.code(), Some(0), "{errors}");
        assert!(errors.contains(part), "{errors}");
        let steers = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
        assert!(!errors.contains(steers), "{errors:?}");
        assert!(!errors.contains("\nwarning: `alpha` is fine"), "{errors:?}");
        fs::remove_dir_all(workplace.path("out")).expect("an export");
    }
}

#[tokio::test]
async fn how_many_entries_are_left_out_is_said_for_each_registry() {
    let mut entries = vec![Entry::new("com.example/a", "1.0.0"), Entry::new("com.example/b", "1.0.0")];
    entries.push(Entry::new("com.example/c", "1.0.0").server("version", json!(null)));
    entries.push(Entry::new("com.example/d", "1.0.0").server("version", json!(7)));
    let (odd, even) = (FakeRegistry::start(entries).await, FakeRegistry::start(vec![Entry::new("e", "1")]).await);
    let workplace = workplace(&[("odd", &odd.url()), ("even", &even.url())]);
    workplace.write("names.txt", "com.example/a\n");
    for arguments in [&["list"][..], &["export", "--format", "ndjson"], &["validate", "names.txt"]] {
        let finished = workplace.run(&[arguments, &["--config", "proxy.toml"]].concat()).await;
        let errors = finished.stderr();
        assert_eq!(finished.code(), Some(0), "{arguments:?}: {errors}");
        assert!(errors.contains("warning: `odd` lists 2 entries that are left out; of the first one: "), "{errors}");
        assert!(!errors.contains("`even`"), "{errors}");
    }
}
