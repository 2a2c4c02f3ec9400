//! The commands as people and scripts run them: exit codes, what stands on which stream, and what a bad
//! configuration is answered with.

mod configuration;
mod output;

use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::binary::Workplace;
use crate::support::entry::numbered;
use crate::support::http::send;
use crate::support::lineage::{HEADER, ids};
use crate::support::raw::nobody;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};

/// A configuration of these registries, none of which is asked through a proxy.
fn configuration(registries: &[(&str, &str)]) -> String {
    let head = "[network]\nproxy = \"off\"\n".to_owned();
    let sections = registries.iter().map(|(name, url)| format!("[[registries]]\nname = {name:?}\nurl = {url:?}\n"));
    sections.fold(head, |text, section| text + &section)
}

/// A configuration, and what its error must name.
type BadConfiguration = (&'static str, &'static [&'static str]);

const BAD_CONFIGURATIONS: [BadConfiguration; 10] = [
    ("", &["`registries`", "[[registries]]"]),
    ("[server]\nlisten = \"nowhere\"\n", &["`server.listen`", "nowhere", "127.0.0.1:8080"]),
    ("[server]\nport = 80\n", &["`server.port`", "`listen`"]),
    ("[[registries]]\nname = \"a\"\n", &["`registries.a.url`", "`file`"]),
    ("[[registries]]\nname = \"A B\"\nurl = \"https://x.example\"\n", &["name`", "[a-z0-9]"]),
    ("[[registries]]\nname = \"a\"\nurl = \"x.example\"\n", &["`registries.a.url`", "https://"]),
    (
        "[[registries]]\nname = \"a\"\nurl = \"http://x.example\"\nbearer_token = \"t\"\n",
        &["`registries.a.url`", "insecure"],
    ),
    (
        "[[registries]]\nname = \"a\"\nurl = \"https://x.example\"\nbearer_token = \"${UNSET}\"\n",
        &["`registries.a.bearer_token`", "UNSET"],
    ),
    ("[health]\ninterval = \"soon\"\n", &["`health.interval`"]),
    ("[catalog]\nmerge = \"last\"\n", &["`catalog.merge`", "`union`", "`first`"]),
];

#[tokio::test]
async fn a_bad_configuration_ends_with_64_and_names_key_file_and_remedy() {
    for (text, parts) in BAD_CONFIGURATIONS {
        let workplace = Workplace::new();
        workplace.write("bad.toml", text);
        for command in ["serve", "test"] {
            let finished = workplace.run(&[command, "--config", "bad.toml"]).await;
            let error = finished.stderr();
            assert_eq!(finished.code(), Some(64), "{command} {text}: {error}");
            // That there is no registry, no file says.
            assert!(text.is_empty() || error.contains("bad.toml"), "{text}: {error}");
            assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
            assert_eq!(finished.stdout(), "", "{text}");
        }
    }
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_ends_with_64() {
    let workplace = Workplace::new();
    workplace.write("proxy.ini", "");
    workplace.write("broken.toml", "[server\n");
    workplace.write("broken.yaml", "server: [\n");
    workplace.write("broken.json", "{\"server\":");
    for file in ["missing.toml", "proxy.ini", "broken.toml", "broken.yaml", "broken.json"] {
        let finished = workplace.run(&["serve", "--config", file]).await;
        assert_eq!(finished.code(), Some(64), "{file}: {}", finished.stderr());
        assert!(finished.stderr().contains(file), "{file}: {}", finished.stderr());
    }
    let finished = workplace.run(&["serve", "--no-such-flag"]).await;
    assert_eq!(finished.code(), Some(64), "{}", finished.stderr());
}

#[tokio::test]
async fn a_configuration_is_judged_before_any_port_is_bound() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let listen = format!("[server]\nlisten = \"{}\"\n", taken.local_addr().expect("an address"));
    let workplace = Workplace::new();
    let good = listen + &configuration(&[("alpha", "https://x.example")]);
    workplace.write("good.toml", &good);
    workplace.write("bad.toml", good + "novel = 1\n");
    let finished = workplace.run(&["serve", "--config", "bad.toml"]).await;
    assert_eq!(finished.code(), Some(64), "{}", finished.stderr());
    let finished = workplace.run(&["serve", "--config", "good.toml"]).await;
    assert_eq!(finished.code(), Some(1), "{}", finished.stderr());
    assert!(finished.stderr().contains("server.listen"), "{}", finished.stderr());
}

#[tokio::test]
async fn test_passes_when_every_registry_does() {
    let (alpha, beta) =
        (FakeRegistry::start(numbered("a", 3)).await, FakeRegistry::start_at(&["/v0/servers"], numbered("b", 3)).await);
    let workplace = Workplace::new();
    workplace.write("proxy.toml", configuration(&[("alpha", &alpha.url()), ("beta", &beta.base())]));
    let finished = workplace.run(&["test", "--config", "proxy.toml"]).await;
    let text = finished.stdout();
    assert_eq!(finished.code(), Some(0), "{text}{}", finished.stderr());
    for part in ["alpha", "beta"] {
        assert!(text.contains(part), "{text}");
    }
    for stage in ["network", "response", "format"] {
        assert_eq!(text.matches(stage).count(), 2, "{text}");
    }
    assert!(!text.contains("failed"), "{text}");
    assert!(alpha.requests().iter().all(Seen::is_probe), "a test is one small request: {:?}", alpha.requests());
}

/// The stages of each registry in a JSON report: its name, and `true`, `false` or `null` for each.
fn stages(report: &Value) -> Vec<(String, Vec<Value>)> {
    let registries = report["registries"].as_array().expect("registries");
    let stages = |registry: &Value| {
        let stages = registry["stages"].as_array().expect("stages");
        assert_eq!(stages.iter().map(|stage| &stage["stage"]).collect::<Vec<_>>(), ["network", "response", "format"]);
        stages.iter().map(|stage| stage["ok"].clone()).collect()
    };
    registries
        .iter()
        .map(|registry| (registry["name"].as_str().unwrap_or_default().to_owned(), stages(registry)))
        .collect()
}

#[tokio::test]
async fn test_ends_with_1_exactly_when_a_registry_fails_and_reports_each_stage() {
    let good = FakeRegistry::start(numbered("a", 3)).await;
    let failing = FakeRegistry::start(Vec::new()).await;
    failing.always(Behaviour::status(500));
    let page = FakeRegistry::start(Vec::new()).await;
    page.always(Behaviour::Body("text/html", "<html></html>".into()));
    let closed = nobody().await;
    let registries =
        [("good", &*good.url()), ("failing", &*failing.url()), ("page", &*page.url()), ("closed", &*closed)];
    let workplace = Workplace::new();
    workplace.write("proxy.toml", configuration(&registries));

    let finished = workplace.run(&["test", "--config", "proxy.toml", "--json"]).await;
    assert_eq!(finished.code(), Some(1), "{}", finished.stderr());
    let report: Value = serde_json::from_str(&finished.stdout()).expect("one JSON document");
    let (ok, failed, absent) = (Value::Bool(true), Value::Bool(false), Value::Null);
    let expected = [
        ("good".to_owned(), vec![ok.clone(), ok.clone(), ok.clone()]),
        ("failing".to_owned(), vec![ok.clone(), failed.clone(), absent.clone()]),
        ("page".to_owned(), vec![ok.clone(), ok, failed.clone()]),
        ("closed".to_owned(), vec![failed, absent.clone(), absent]),
    ];
    assert_eq!(stages(&report), expected);
    assert_eq!(report["metadata"], json!({ "count": 4 }));
    for (index, reason) in [(1, "500"), (2, "HTML"), (3, "refused")] {
        assert!(report["registries"][index].to_string().contains(reason), "{reason}: {report}");
    }

    let finished = workplace.run(&["test", "--config", "proxy.toml"]).await;
    assert_eq!(finished.code(), Some(1));
    assert!(finished.stdout().contains("500") && finished.stdout().contains("HTML"), "{}", finished.stdout());
    let finished = workplace.run(&["test", "good", "--config", "proxy.toml"]).await;
    assert_eq!(finished.code(), Some(0), "{}", finished.stdout());
    let finished = workplace.run(&["test", "good", "page", "--config", "proxy.toml"]).await;
    assert_eq!(finished.code(), Some(1), "{}", finished.stdout());
    let finished = workplace.run(&["test", "nobody", "--config", "proxy.toml"]).await;
    assert_eq!(finished.code(), Some(64), "{}", finished.stderr());
}

#[tokio::test]
async fn test_finds_the_loop_that_serve_would_find() {
    let (alpha, beta) = (FakeRegistry::start(numbered("a", 3)).await, FakeRegistry::start(numbered("b", 3)).await);
    let workplace = Workplace::new();
    let head = "[server]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n".to_owned();
    let registries = configuration(&[("alpha", &alpha.url()), ("beta", &beta.url())]);
    let path = workplace.write("proxy.toml", head + &registries);
    let test = ["test", "alpha", "--config", "proxy.toml"];
    assert_eq!(workplace.run(&test).await.code(), Some(0));
    let store = path.with_file_name("state");
    assert!(!store.exists(), "a test makes no id");

    let serving = workplace.serve(&["--config", "proxy.toml"]).await;
    let reply = send(serving.address, Method::GET, "/livez").await;
    alpha.always(Behaviour::Headers(vec![(HEADER, format!("somebody, {}", ids(&reply)[0]))]));
    for arguments in [&test[..], &["test", "--url", &alpha.url(), "--config", "proxy.toml"]] {
        let finished = workplace.run(arguments).await;
        assert_eq!(finished.code(), Some(1), "{}", finished.stderr());
        assert!(finished.stdout().contains("loop: "), "{}", finished.stdout());
    }
    assert_eq!(workplace.run(&["test", "beta", "--config", "proxy.toml"]).await.code(), Some(0));
    std::fs::remove_dir_all(store).expect("the store");
    assert_eq!(workplace.run(&test).await.code(), Some(0), "it does not know its id");
}

#[tokio::test]
async fn test_takes_a_url_that_is_not_configured() {
    let registry = FakeRegistry::start(numbered("a", 3)).await;
    let workplace = Workplace::new();
    workplace.write("proxy.toml", configuration(&[("alpha", &nobody().await)]));
    let url = registry.url();
    let finished = workplace.run(&["test", "--config", "proxy.toml", "--url", &url, "--json"]).await;
    assert_eq!(finished.code(), Some(0), "{}{}", finished.stdout(), finished.stderr());
    assert!(finished.stdout().contains(&url), "{}", finished.stdout());
    registry.always(Behaviour::status(404));
    let finished = workplace.run(&["test", "--config", "proxy.toml", "--url", &url]).await;
    assert_eq!(finished.code(), Some(1), "{}", finished.stdout());
    let finished = workplace.run(&["test", "--config", "proxy.toml", "--url", "ftp://x.example"]).await;
    assert_eq!(finished.code(), Some(64), "{}", finished.stderr());
}
