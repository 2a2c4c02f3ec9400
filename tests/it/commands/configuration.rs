//! `check`, `config`, `add` and `remove`: what they say of a configuration, and what they leave of its file.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::configuration;
use crate::support::binary::{Finished, Workplace};
use crate::support::entry::{keys_of, numbered};
use crate::support::http::send;
use crate::support::raw::nobody;
use crate::support::registry::{Behaviour, FakeRegistry};
use crate::support::{check, eventually};

fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout()).unwrap_or_else(|error| panic!("{error}: {}", finished.stdout()))
}

#[tokio::test]
async fn check_says_what_serve_would_do_and_touches_nothing() {
    let registry = FakeRegistry::start(numbered("a", 3)).await;
    let workplace = Workplace::new();
    // A port that is taken is none of its business.
    let listen = format!("[server]\nlisten = \"{}\"\n", registry.url().split('/').nth(2).expect("an address"));
    let good = listen + &configuration(&[("alpha", &registry.url()), ("beta", "https://b.example/v0")]);
    workplace.write("proxy.toml", &good);
    let finished = workplace.run(&["check", "--config", "proxy.toml"]).await;
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
    for part in
        ["The configuration is valid (proxy.toml)", "alpha", "https://b.example/v0/servers", "merged by `union`"]
    {
        assert!(finished.stdout().contains(part), "{part}: {}", finished.stdout());
    }
    assert!(finished.stderr().starts_with("warning: 2 registries are merged by `union`"), "{}", finished.stderr());
    assert!(registry.requests().is_empty() && !workplace.path("state").exists());

    let finished = workplace.run(&["check", "--config", "proxy.toml", "--json"]).await;
    let report = json_of(&finished);
    assert_eq!((finished.code(), finished.stderr().as_str()), (Some(0), ""));
    assert_eq!(
        (&report["valid"], &report["errors"], &report["listeners"]["admin"]),
        (&json!(true), &json!([]), &json!(null))
    );
    assert_eq!(report["registries"][1], json!({ "name": "beta", "url": "https://b.example/v0/servers" }));
    assert_eq!(report["warnings"].as_array().map(Vec::len), Some(1));

    workplace.write("claimed.toml", good.clone() + "namespaces = [\"com.b/*\"]\n");
    let finished = workplace.run(&["check", "--config", "claimed.toml"]).await;
    assert_eq!((finished.code(), finished.stderr().as_str()), (Some(0), ""));
}

#[tokio::test]
async fn check_refuses_what_serve_refuses() {
    let workplace = Workplace::new();
    std::fs::create_dir(workplace.path("folder")).expect("a directory");
    workplace.write("latin.toml", b"# caf\xe9\n");
    let one = configuration(&[("alpha", "https://a.example")]);
    let bad = [
        ("bearer_token_file = \"missing\"\n".to_owned(), "`registries.alpha.bearer_token_file`"),
        ("bearer_token_file = \"folder\"\n".to_owned(), "is a directory"),
        ("novel = 1\n".to_owned(), "`registries.alpha.novel` is not a key"),
        ("[server]\ntls_key_file = \"k\"\ntls_certificate_file = \"c\"\n".to_owned(), "`server.tls_certificate_file`"),
        ("[admin]\ntoken_file = \"folder\"\n".to_owned(), "`admin.token_file`"),
    ];
    for (text, part) in bad {
        workplace.write("bad.toml", one.clone() + &text);
        for command in ["check", "serve", "config"] {
            let finished = workplace.run(&[command, "--config", "bad.toml"]).await;
            assert_eq!(
                (finished.code(), finished.stdout().as_str()),
                (Some(64), ""),
                "{command}: {}",
                finished.stderr()
            );
            assert!(
                finished.stderr().contains(part) && finished.stderr().contains("bad.toml"),
                "{}",
                finished.stderr()
            );
        }
        let finished = workplace.run(&["check", "--config", "bad.toml", "--json"]).await;
        assert_eq!((finished.code(), finished.stderr().as_str()), (Some(64), ""));
        let report = json_of(&finished);
        assert!(
            (&report["listeners"], &report["registries"]) == (&json!(null), &json!([]))
                && report.get("listeners").is_some(),
            "{report}"
        );
        assert!(
            report["valid"] == false && report["errors"].to_string().contains(&part.replace('"', "\\\"")),
            "{report}"
        );
    }
    for file in ["folder", "latin.toml", "folder/none.toml"] {
        let finished = workplace.run(&["check", "--config", file]).await;
        assert_eq!(finished.code(), Some(64), "{file}: {}", finished.stderr());
        assert!(finished.stderr().starts_with("error: ") && finished.stderr().contains(file), "{}", finished.stderr());
    }
}

#[tokio::test]
async fn config_says_where_each_value_comes_from_and_shows_no_secret() {
    let workplace = Workplace::new();
    workplace.write(
        "a.toml",
        "[health]\ntimeout = \"7s\"\ninterval = \"8s\"\n[[registries]]\nname = \"gone\"\nurl = \"https://g.example\"\n",
    );
    let yaml = "health: {timeout: 9s}\nnetwork: {proxy: 'http://me:canary@p.example:3128'}\nregistries:\n  - name: acme\n    \
                url: https://me:canary@a.example/v0?key=canary\n    headers: {X-Key: canary, X-Other: '${OTHER}'}\n  - name: b\n    \
                url: https://b.example\n    bearer_token: canary\n";
    workplace.write("b.yaml", yaml);
    let run = async |arguments: &[&str]| {
        let mut command = workplace.command(arguments);
        command
            .env("OTHER", "canary")
            .env("MCP_REGISTRY_PROXY__CACHE__MAX_AGE", "3s")
            .env("MCP_REGISTRY_PROXY__LOG", "{format=\"json\"}");
        Finished::of(command).await
    };
    let arguments = ["config", "--config", "a.toml", "--config", "b.yaml", "--log-level", "debug"];
    let text = run(&arguments).await;
    let json = run(&[&arguments[..], &["--json"]].concat()).await;
    for finished in [&text, &json] {
        assert_eq!((finished.code(), finished.stderr().as_str()), (Some(0), ""));
        assert!(!finished.stdout().contains("canary"), "{}", finished.stdout());
    }
    let settings = json_of(&json)["settings"].as_array().expect("settings").clone();
    let setting = |key: &str| {
        let found =
            settings.iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("{key}: {settings:#?}"));
        let name = found["source"]["name"].as_str().unwrap_or_default().to_owned();
        (found["value"].clone(), format!("{} {name}", found["source"]["kind"].as_str().unwrap_or_default()))
    };
    for (key, value, source) in [
        ("server.cors_origins", json!(["*"]), "default "),
        ("health.timeout", json!("9s"), "file b.yaml"),
        ("health.interval", json!("8s"), "file a.toml"),
        ("cache.max_age", json!("3s"), "environment MCP_REGISTRY_PROXY__CACHE__MAX_AGE"),
        ("log.format", json!("json"), "environment MCP_REGISTRY_PROXY__LOG"),
        ("log.level", json!("debug"), "flag --log-level"),
        ("admin.listen", json!("off"), "environment MCP_REGISTRY_PROXY__ADMIN__LISTEN"),
        ("network.proxy", json!("http://[redacted]@p.example:3128/"), "file b.yaml"),
        ("registries.acme.url", json!("https://[redacted]@a.example/v0?[redacted]"), "file b.yaml"),
        ("registries.acme.headers", json!({ "X-Key": "[redacted]", "X-Other": "${OTHER}" }), "file b.yaml"),
        ("registries.b.bearer_token", json!("[redacted]"), "file b.yaml"),
        ("registries.b.insecure", json!(false), "default "),
    ] {
        assert_eq!(setting(key), (value, source.to_owned()), "{key}");
    }
    let lines = text.stdout();
    let line = |start: &str| lines.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned();
    assert!(line("timeout").ends_with("# b.yaml") && line("max_age").contains("MAX_AGE"), "{lines}");
    // It is a configuration again, but for what is redacted.
    workplace.write("c.toml", lines.replace("[redacted]@", "").replace("[redacted]", "x").replace("${OTHER}", "y"));
    let finished = workplace.run(&["check", "--config", "c.toml"]).await;
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr());

    let finished = workplace.run(&["config"]).await;
    assert!(finished.stdout().contains("when_unhealthy = \"serve-stale\"  # built-in"), "{}", finished.stdout());
    let finished = workplace.run(&["config", "--json"]).await;
    let built_in = json!({ "kind": "default", "name": "config/default.toml" });
    let report = json_of(&finished);
    let settings = report["settings"].as_array().expect("settings");
    assert_eq!(settings.iter().filter(|setting| setting["source"] == built_in).count(), 4, "{report}");
}

#[tokio::test]
async fn the_reference_in_docs_is_that_of_the_program() {
    let finished = Workplace::new().run(&["config", "--reference"]).await;
    let written = include_str!("../../../docs/configuration.md");
    let advice = "run: cargo run -- config --reference > docs/configuration.md";
    assert!(finished.stdout() == written, "docs/configuration.md is not what the program says; {advice}");
}

const COMMENTED: &str = "# The registries of Acme.\n\n# ours\n[[registries]]\nname = \"alpha\" # first\nurl = \"URL\"\n\n[network]\nproxy = \"off\" # none\n";

#[tokio::test]
async fn a_proxy_that_runs_takes_what_is_added_and_removed() {
    let (a, b) = (numbered("com.a", 2), numbered("com.b", 2));
    let (alpha, beta) = (FakeRegistry::start(a.clone()).await, FakeRegistry::start(b.clone()).await);
    let workplace = Workplace::new();
    let before =
        COMMENTED.replace("URL", &alpha.url()) + "[server]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n";
    workplace.write("proxy.toml", &before);
    let serving = workplace.serve(&["--config", "proxy.toml"]).await;
    let listed = async |expected: Vec<String>| {
        eventually("they were listed", async || {
            let reply = send(serving.address, http::Method::GET, "/v0.1/servers").await;
            let found = if reply.status == 200 {
                crate::support::entry::keys(reply.json()["servers"].as_array().expect("a list"))
            } else {
                Vec::new()
            };
            check(found == expected, found)
        })
        .await;
    };
    listed(keys_of(&a)).await;
    let finished = workplace.run(&["add", "beta", &beta.url(), "--config", "proxy.toml"]).await;
    assert_eq!(finished.code(), Some(0), "{}{}", finished.stdout(), finished.stderr());
    assert!(finished.stdout().contains("format") && finished.stdout().contains("Added `beta` to proxy.toml."));
    let block = format!("\n[[registries]]\nname = \"beta\"\nurl = \"{}\"\n", beta.url());
    assert_eq!(workplace.read("proxy.toml"), before.replace("\n[network]", &format!("{block}\n[network]")));
    listed(keys_of(&[a, b.clone()].concat())).await;
    let finished = workplace.run(&["remove", "alpha", "--config", "proxy.toml"]).await;
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
    listed(keys_of(&b)).await;
    let left = workplace.read("proxy.toml");
    assert!(
        left.starts_with(&format!("# The registries of Acme.\n{block}\n[network]\nproxy = \"off\" # none\n")),
        "{left}"
    );
}

#[tokio::test]
async fn add_refuses_what_fails_its_test_unless_forced() {
    let failing = FakeRegistry::start(Vec::new()).await;
    failing.always(Behaviour::status(500));
    let workplace = Workplace::new();
    let before = COMMENTED.replace("URL", "https://a.example");
    workplace.write("proxy.toml", &before);
    let add = ["add", "beta", &failing.url(), "--config", "proxy.toml"];
    let finished = workplace.run(&add).await;
    assert_eq!((finished.code(), workplace.read("proxy.toml")), (Some(1), before), "{}", finished.stderr());
    assert!(finished.stdout().contains("500"), "{}", finished.stdout());
    for part in ["error: `beta` fails its test", "hint: --force"] {
        assert!(finished.stderr().contains(part), "{}", finished.stderr());
    }
    let finished = workplace.run(&[&add[..], &["--force"]].concat()).await;
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
    assert!(finished.stderr().starts_with("warning: `beta` fails its test"), "{}", finished.stderr());
    assert!(workplace.read("proxy.toml").contains("name = \"beta\""));
}

#[tokio::test]
async fn what_cannot_be_edited_stays_as_it_was_and_nobody_is_asked() {
    let registry = FakeRegistry::start(numbered("a", 1)).await;
    let (url, workplace) = (registry.url(), Workplace::new());
    let one = configuration(&[("alpha", "https://a.example")]);
    let two = configuration(&[("alpha", "https://a.example"), ("beta", "https://b.example")]);
    workplace.write("one.toml", &one);
    workplace.write("flow.yaml", "registries: [{name: alpha, url: 'https://a.example'}]\n");
    workplace.write("broken.toml", two.clone() + "[server\n");
    workplace.write("wrong.toml", two + "novel = 1\n");
    std::fs::create_dir(workplace.path("folder.toml")).expect("a directory");
    let cases: [(&[&str], &str); 12] = [
        (&["add", "new", &url], "name one with --config FILE"),
        (&["add", "alpha", &url, "--config", "one.toml"], "there is a registry `alpha` already"),
        (&["add", "New", &url, "--config", "one.toml"], "is not a registry name"),
        (&["add", "new", "ftp://x", "--config", "one.toml"], "`registries.new.url`"),
        (&["add", "new", "x.example", "--config", "one.toml"], "is not a URL"),
        (&["add", "new", &url, "--config", "flow.yaml"], "flow.yaml: does not write its registries"),
        (&["add", "new", &url, "--config", "broken.toml"], "broken.toml"),
        (&["add", "new", &url, "--config", "wrong.toml"], "`registries.beta.novel` is not a key"),
        (&["add", "new", &url, "--config", "missing.toml"], "missing.toml: cannot be read"),
        (&["add", "new", &url, "--config", "folder.toml"], "folder.toml"),
        (&["remove", "alpha", "--config", "one.toml"], "is the only registry"),
        (&["remove", "gamma", "--config", "one.toml"], "\"gamma\" is not a configured registry; there are alpha"),
    ];
    for (arguments, part) in cases {
        let before = arguments.last().filter(|file| workplace.path(file).is_file()).map(|file| workplace.read(file));
        let finished = workplace.run(arguments).await;
        assert_eq!(
            (finished.code(), finished.stdout().as_str()),
            (Some(64), ""),
            "{arguments:?} {}",
            finished.stderr()
        );
        assert!(finished.stderr().contains(part), "{arguments:?}: {}", finished.stderr());
        if let Some(before) = before {
            assert_eq!(workplace.read(arguments.last().expect("a file")), before, "{arguments:?}");
        }
    }
    let mut command = workplace.command(&["add", "new", &url, "--config", "one.toml"]);
    command.env("MCP_REGISTRY_PROXY__REGISTRIES", "[{name=\"e\",url=\"https://e.example\"}]");
    let finished = Finished::of(command).await;
    assert_eq!(finished.code(), Some(64));
    assert!(finished.stderr().contains("(MCP_REGISTRY_PROXY__REGISTRIES)"), "{}", finished.stderr());
    assert!(registry.requests().is_empty() && workplace.read("one.toml") == one);
}

#[tokio::test]
async fn the_file_whose_list_counts_is_edited_where_its_link_leads_with_its_mode() {
    let registry = FakeRegistry::start(numbered("a", 1)).await;
    let workplace = Workplace::new();
    std::fs::create_dir(workplace.path("real")).expect("a directory");
    let list =
        workplace.write("real/list.yaml", "registries:\n  # ours\n  - name: alpha\n    url: https://a.example\n");
    std::fs::set_permissions(&list, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    std::os::unix::fs::symlink("real/list.yaml", workplace.path("list.yaml")).expect("a link");
    workplace.write("base.toml", configuration(&[("first", "https://f.example")]));
    workplace.write("last.json", "{\"log\": {\"level\": \"warn\"}}");
    let files = ["--config", "base.toml", "--config", "list.yaml", "--config", "last.json"];
    let finished = workplace.run(&[&["add", "beta", &*registry.url()], &files[..]].concat()).await;
    assert_eq!(finished.code(), Some(0), "{}{}", finished.stdout(), finished.stderr());
    assert!(finished.stdout().contains("Added `beta` to list.yaml."), "{}", finished.stdout());
    let expected =
        format!("  - name: alpha\n    url: https://a.example\n  - name: \"beta\"\n    url: \"{}\"\n", registry.url());
    assert_eq!(workplace.read("real/list.yaml"), format!("registries:\n  # ours\n{expected}"));
    let mode = std::fs::metadata(&list).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert!(workplace.path("list.yaml").is_symlink());
    assert_eq!(std::fs::read_dir(workplace.path("real")).expect("a directory").count(), 1, "nothing is left over");
    let finished = workplace.run(&[&["remove", "beta"], &files[..]].concat()).await;
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
    assert_eq!(
        workplace.read("real/list.yaml"),
        "registries:\n  # ours\n  - name: alpha\n    url: https://a.example\n"
    );
}

#[tokio::test]
async fn the_first_registry_goes_into_an_empty_file_of_any_format() {
    let registry = FakeRegistry::start(numbered("a", 1)).await;
    let workplace = Workplace::new();
    for (file, empty) in [("a.toml", ""), ("b.yml", ""), ("c.json", "{}")] {
        workplace.write(file, empty);
        let finished = workplace.run(&["add", "alpha", &registry.url(), "--config", file]).await;
        assert_eq!(finished.code(), Some(0), "{file}: {}{}", finished.stdout(), finished.stderr());
        let finished = workplace.run(&["test", "alpha", "--config", file]).await;
        assert_eq!(finished.code(), Some(0), "{file}: {}", workplace.read(file));
    }
}

#[tokio::test]
async fn a_url_that_nobody_answers_at_is_not_added_without_a_word() {
    let workplace = Workplace::new();
    let json = "{\n  \"registries\": [{\"name\": \"a\", \"url\": \"https://a.example\"}]\n}\n";
    workplace.write("proxy.json", json);
    let finished = workplace.run(&["add", "b", &nobody().await, "--config", "proxy.json"]).await;
    assert_eq!((finished.code(), workplace.read("proxy.json").as_str()), (Some(1), json));
    assert!(
        finished.stdout().contains("not reached") && finished.stdout().contains("refused"),
        "{}",
        finished.stdout()
    );
}

#[tokio::test]
async fn secrets_of_other_registries_are_not_needed_to_edit_the_file() {
    let registry = FakeRegistry::start(numbered("a", 1)).await;
    let workplace = Workplace::new();
    let before = configuration(&[("alpha", "https://a.example"), ("beta", "https://b.example")])
        .replacen("\n[[", "\n[admin]\ntoken_file = \"none\"\n[[", 1)
        .replace("[[registries]]\nname = \"beta\"", "bearer_token = \"${ABSENT}\"\n[[registries]]\nname = \"beta\"")
        + "bearer_token_file = \"missing\"\n";
    workplace.write("proxy.toml", &before);
    let finished = workplace.run(&["check", "--config", "proxy.toml"]).await;
    assert_eq!(finished.code(), Some(64), "{}", finished.stderr());
    let warnings = [
        "warning: proxy.toml: `registries.alpha.bearer_token` names ${ABSENT}",
        "warning: proxy.toml: `registries.beta.bearer_token_file` ",
        "warning: proxy.toml: `admin.token_file` ",
    ];
    let finished = workplace.run(&["add", "new", &registry.url(), "--config", "proxy.toml"]).await;
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
    assert!(warnings.iter().all(|warning| finished.stderr().contains(warning)), "{}", finished.stderr());
    assert!(workplace.read("proxy.toml").starts_with(&before));
    let finished = workplace.run(&["remove", "new", "--config", "proxy.toml"]).await;
    assert_eq!((finished.code(), workplace.read("proxy.toml")), (Some(0), before.clone()), "{}", finished.stderr());
    assert!(warnings.iter().all(|warning| finished.stderr().contains(warning)), "{}", finished.stderr());
    // What is wrong all the same is refused.
    workplace.write("proxy.toml", before.replace("${ABSENT}", "${OPEN"));
    let finished = workplace.run(&["remove", "beta", "--config", "proxy.toml"]).await;
    assert_eq!(finished.code(), Some(64), "{}", finished.stderr());
}

#[tokio::test]
async fn changes_are_told_to_programs_too() {
    let registry = FakeRegistry::start(numbered("a", 1)).await;
    let failing = FakeRegistry::start(Vec::new()).await;
    failing.always(Behaviour::status(500));
    let workplace = Workplace::new();
    workplace.write("proxy.toml", configuration(&[("alpha", "https://a.example")]));
    for (name, url, is_added) in [("new", registry.url(), true), ("bad", failing.url(), false)] {
        let finished = workplace.run(&["add", name, &url, "--json", "--config", "proxy.toml"]).await;
        assert_eq!(finished.code(), Some(i32::from(!is_added)), "{}", finished.stderr());
        let report = json_of(&finished);
        assert_eq!((&report["added"], &report["file"]), (&json!(is_added), &json!("proxy.toml")), "{report}");
        assert_eq!((&report["registry"]["name"], &report["registry"]["ok"]), (&json!(name), &json!(is_added)));
        assert_eq!(report["registry"]["stages"].as_array().map(Vec::len), Some(3), "{report}");
    }
    let finished = workplace.run(&["remove", "new", "--json", "--config", "proxy.toml"]).await;
    assert_eq!(json_of(&finished), json!({ "removed": true, "file": "proxy.toml", "name": "new" }));

    let closed = nobody().await;
    let address = closed.split('/').nth(2).expect("an address").to_owned();
    workplace.write("closed.toml", format!("[server]\nlisten = \"{address}\"\n"));
    let finished = workplace.run(&["healthcheck", "--json", "--config", "closed.toml"]).await;
    let report = json_of(&finished);
    assert_eq!((finished.code(), finished.stderr().as_str()), (Some(1), ""));
    assert_eq!((&report["ok"], &report["url"]), (&json!(false), &json!(format!("http://{address}/livez"))));
    assert!(report["problem"].as_str().is_some_and(|problem| problem.contains("refused")), "{report}");
}

#[tokio::test]
async fn files_on_both_sides_of_the_command_count() {
    let workplace = Workplace::new();
    workplace.write("a.toml", configuration(&[("alpha", "https://a.example")]));
    workplace.write("b.toml", "[catalog]\nmerge = \"first\"\n");
    let finished = workplace.run(&["--config", "a.toml", "check", "--config", "b.toml"]).await;
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
    for part in ["(a.toml, b.toml)", "https://a.example", "merged by `first`"] {
        assert!(finished.stdout().contains(part), "{}", finished.stdout());
    }
}

#[tokio::test]
async fn what_a_command_does_is_logged_where_the_run_asks_for_it() {
    let registry = FakeRegistry::start(numbered("a", 1)).await;
    let workplace = Workplace::new();
    workplace.write("proxy.toml", configuration(&[("alpha", "https://a.example")]) + "[log]\nlevel = \"debug\"\n");
    let said = async |name: &str, flags: &[&str], level: Option<&str>| {
        let add = ["add", name, &registry.url(), "--config", "proxy.toml"];
        let mut command = workplace.command(&[&add[..], flags].concat());
        command.envs(level.map(|level| ("MCP_REGISTRY_PROXY__LOG__LEVEL", level)));
        let finished = Finished::of(command).await;
        assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
        finished.stderr()
    };
    assert_eq!(said("b", &[], None).await, "");
    let everything = "mcp_registry_proxy=trace,hyper_util=trace,info";
    assert_ne!(said("c", &["--log-level", everything], None).await, "");
    assert_ne!(said("d", &[], Some(everything)).await, "");
}

#[tokio::test]
async fn of_two_registries_with_one_name_none_is_removed() {
    let workplace = Workplace::new();
    let text = configuration(&[("a", "https://a.example"), ("a", "https://b.example"), ("c", "https://c.example")]);
    workplace.write("proxy.toml", &text);
    let finished = workplace.run(&["remove", "a", "--config", "proxy.toml"]).await;
    assert_eq!((finished.code(), workplace.read("proxy.toml")), (Some(64), text));
    assert!(finished.stderr().contains("there are two registries `a`"), "{}", finished.stderr());
}

#[tokio::test]
async fn a_default_that_does_not_count_is_not_shown() {
    let workplace = Workplace::new();
    let text = configuration(&[("a", "https://a.example")]);
    workplace.write("disk.toml", &text);
    workplace.write("redis.toml", text + "[store]\nurl = \"redis://127.0.0.1:6379\"\n");
    for (file, is_shown) in [("disk.toml", true), ("redis.toml", false)] {
        let finished = workplace.run(&["config", "--config", file]).await;
        assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
        assert_eq!(finished.stdout().contains("state/catalog"), is_shown, "{}", finished.stdout());
    }
}
