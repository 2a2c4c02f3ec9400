//! Dependency confusion, with the manual's own configuration: whatever a public registry lists under a company's names,
//! and whatever becomes of the company's registry, nothing of it is ever served.

use serde_json::Value;
use tempfile::TempDir;

use crate::read_through::{ON, ONE_WALK};
use crate::support::entry::{Entry, key, keys, provenance};
use crate::support::proxy::{Proxy, Setup};
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::{check, eventually};

const PAGE: &str = include_str!("../../docs/security.md");

/// The configuration that the page shows, with other URLs.
fn readme(internal: &FakeRegistry, public: &FakeRegistry) -> String {
    let section = PAGE.split("## Who owns a name").nth(1).expect("the section");
    let block = section.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).expect("a configuration");
    let urls = ["https://mcp.acme.example/v0.1/servers", "https://registry.modelcontextprotocol.io/v0.1/servers"];
    assert!(urls.iter().all(|url| block.contains(url)), "{block}");
    block.replace(urls[0], &internal.url()).replace(urls[1], &public.url())
}

fn with_store(store: &TempDir, internal: &FakeRegistry, public: &FakeRegistry) -> Setup {
    let store = format!("[store]\npath = '{}'", store.path().display());
    Setup::new().settings(ONE_WALK).settings(ON).settings(&store).settings(&readme(internal, public))
}

async fn start() -> (FakeRegistry, FakeRegistry) {
    let internal =
        vec![Entry::new("com.acme/search", "1.0.0").server("title", "Ours"), Entry::new("org.in/x", "1.0.0")];
    let public = vec![
        Entry::new("com.acme/search", "1.0.0").server("title", "Forged"),
        Entry::new("com.acme/search", "9.9.9").server("title", "Forged"),
        Entry::new("com.acme/only-public", "1.0.0").server("title", "Forged"),
        Entry::new("com.Acme/search", "1.0.0").server("title", "Forged"),
        Entry::new("com.acme%2Fsearch", "1.0.0").server("title", "Forged"),
        Entry::new("IO.GitHub.ACME/search", "1.0.0").server("title", "Forged"),
        Entry::new("com.acmes/honest", "1.0.0"),
    ];
    (FakeRegistry::start(internal).await, FakeRegistry::start(public).await)
}

/// Asks for everything in every way; nothing of it is forged. Returns what was listed.
async fn nothing_is_forged(proxy: &Proxy) -> Vec<String> {
    let mut listed = Vec::new();
    for query in [
        "",
        "include_deleted=true",
        "version=latest",
        "search=acme",
        "search=Forged",
        "registry=public",
        "version=9.9.9",
    ] {
        let reply = proxy.get(&format!("/v0.1/servers?limit=100&{query}")).await;
        if reply.status == 503 {
            continue;
        }
        let page = reply.json();
        for entry in page["servers"].as_array().expect("a list") {
            is_honest(entry);
            listed.push(key(entry));
        }
    }
    for name in [
        "com.acme%2Fsearch",
        "com.acme/search",
        "com.acme%252Fsearch",
        "com.acme%25252Fsearch",
        "com.Acme%2Fsearch",
        "com.acme%2Fonly-public",
        "io.github.acme%2Fsearch",
        "IO.GitHub.ACME%2Fsearch",
        "com.acme%2Fnowhere",
    ] {
        for rest in ["", "/latest", "/1.0.0", "/9.9.9"] {
            let target = format!("/v0.1/servers/{name}/versions{rest}");
            let reply = proxy.get(&target).await;
            assert!(matches!(reply.status, 200 | 404 | 503), "{target}: {}", reply.text());
            if reply.status == 200 {
                let body = reply.json();
                body["servers"].as_array().into_iter().flatten().for_each(is_honest);
                is_honest(&body);
            }
        }
    }
    listed.sort();
    listed.dedup();
    listed
}

fn is_honest(entry: &Value) {
    assert_ne!(entry["server"]["title"], "Forged", "{entry}");
}

/// No name of the company's was ever sent to the public registry.
fn nothing_was_asked(public: &FakeRegistry) {
    let asked = public.requests_where(Seen::is_look_up);
    let asked: Vec<_> = asked.iter().filter(|seen| seen.path.to_lowercase().contains("acme")).collect();
    assert!(asked.is_empty(), "{asked:?}");
}

#[tokio::test]
async fn a_public_registry_never_supplies_what_another_one_claims() {
    let (internal, public) = start().await;
    let store = tempfile::tempdir().expect("a temporary directory");
    let proxy = with_store(&store, &internal, &public).start_ready().await;
    let all = ["com.acme/search@1.0.0", "com.acmes/honest@1.0.0", "org.in/x@1.0.0"];
    proxy.until_listed(&all.map(str::to_owned)).await;
    assert_eq!(nothing_is_forged(&proxy).await, all, "both are up");
    assert_eq!(proxy.get("/v0.1/servers/com.acme%2Fsearch/versions/9.9.9").await.status, 404);

    let registry = proxy.registry("public").await;
    assert_eq!((&registry["counts"]["foreign"], &registry["refused"]["count"]), (&6.into(), &6.into()));
    let reason = registry["refused"]["entries"][0]["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("internal"), "{reason}");
    let refused = proxy.json("/conflicts?kind=refused").await;
    assert_eq!(refused["metadata"]["count"], 6);
    assert!(refused["conflicts"].as_array().expect("a list").iter().all(|one| one["claimedBy"][0] == "internal"));

    internal.always(Behaviour::Reset);
    proxy.until_listed(&["com.acmes/honest@1.0.0".to_owned()]).await;
    assert_eq!(nothing_is_forged(&proxy).await, ["com.acmes/honest@1.0.0"], "the owner is down");
    let reply = proxy.get("/v0.1/servers/com.acme%2Fsearch/versions/latest").await;
    assert!(reply.status == 503 && reply.detail().contains("internal"), "{}", reply.text());
    proxy.stop().await;

    // Started again while the owner does not answer: what was stored is served, and nothing of anybody else's.
    internal.behave();
    internal.always(Behaviour::Hold);
    let proxy = with_store(&store, &internal, &public).start().await;
    proxy.until_listed(&all.map(str::to_owned)).await;
    assert_eq!(nothing_is_forged(&proxy).await, all, "restarted");
    proxy.stop().await;
    nothing_was_asked(&public);
}

#[tokio::test]
async fn not_while_the_owner_is_walked_for_the_first_time_nor_once_it_has_failed_to_be() {
    let (internal, public) = start().await;
    let store = tempfile::tempdir().expect("a temporary directory");
    internal.always(Behaviour::Hold);
    let proxy = with_store(&store, &internal, &public).start().await;
    proxy.until_listed(&["com.acmes/honest@1.0.0".to_owned()]).await;
    assert_eq!(nothing_is_forged(&proxy).await, ["com.acmes/honest@1.0.0"], "nothing is known of the owner");
    assert_eq!(proxy.get("/v0.1/servers/com.acme%2Fsearch/versions/latest").await.status, 503);
    internal.close_port().await;
    proxy.until_ready().await;
    assert_eq!(nothing_is_forged(&proxy).await, ["com.acmes/honest@1.0.0"], "the owner never was there");
    proxy.stop().await;
    nothing_was_asked(&public);
}

#[tokio::test]
async fn a_claim_takes_effect_while_the_proxy_runs_also_for_what_was_looked_up_before() {
    let (internal, public) = start().await;
    let registries = format!("[[registries]]\nname = \"internal\"\nurl = {:?}\n", internal.url())
        + &format!("[[registries]]\nname = \"public\"\nurl = {:?}\n", public.url());
    let proxy = Setup::new().settings(ONE_WALK).settings(ON).settings(&registries).start_ready().await;
    let more = vec![Entry::new("com.acme/late", "1.0.0").server("title", "Forged")];
    public.set_entries(more);
    // Nobody claims it yet, and it is looked up and remembered.
    assert_eq!(proxy.get("/v0.1/servers/com.acme%2Flate/versions/latest").await.status, 200);
    proxy.reconfigure(Setup::new().settings(ONE_WALK).settings(ON).settings(&readme(&internal, &public)));
    eventually("the claim took effect", async || {
        let refused = proxy.json("/conflicts?kind=refused&registry=public").await;
        let late = proxy.get("/v0.1/servers/com.acme%2Flate/versions/latest").await.status;
        check(refused["metadata"]["count"] == 6 && late == 404, (refused, late))
    })
    .await;
    assert_eq!(nothing_is_forged(&proxy).await, ["com.acme/search@1.0.0", "com.acmes/honest@1.0.0", "org.in/x@1.0.0"]);
    assert_eq!(proxy.get("/v0.1/servers/com.acme%2Flate/versions/1.0.0").await.status, 404);
    proxy.stop().await;
}

#[tokio::test]
async fn an_owner_that_is_served_stale_is_still_the_only_one() {
    let (internal, public) = start().await;
    let setup =
        Setup::new().settings("[health]\nwhen_unhealthy = \"serve-stale\"").settings(&readme(&internal, &public));
    let proxy = setup.start_ready().await;
    internal.always(Behaviour::status(500));
    proxy.until_state("internal", "unhealthy").await;
    assert_eq!(nothing_is_forged(&proxy).await, ["com.acme/search@1.0.0", "com.acmes/honest@1.0.0", "org.in/x@1.0.0"]);
    let listed = proxy.walk("search=com.acme/", 100).await;
    assert_eq!(
        (keys(&listed), &provenance(&listed[0])["registry"]),
        (vec!["com.acme/search@1.0.0".into()], &"internal".into())
    );
    proxy.stop().await;
}

#[tokio::test]
async fn a_claim_by_a_file_that_lists_nothing_blocks_a_namespace() {
    let (_, public) = start().await;
    let setup = Setup::new().settings(ONE_WALK).settings(ON);
    std::fs::write(setup.path("nothing.json"), r#"{"servers": []}"#).expect("a writable directory");
    let blocked = "file = \"nothing.json\"\nnamespaces = [\"com.acme/*\", \"io.github.acme/*\"]";
    let proxy = setup.registry_with("blocked", blocked).registry("public", &public.url()).start_ready().await;
    assert_eq!(nothing_is_forged(&proxy).await, ["com.acmes/honest@1.0.0"]);
    assert_eq!(proxy.get("/v0.1/servers/com.acme%2Fsearch/versions/latest").await.status, 404);
    assert_eq!(proxy.registry("blocked").await["usable"], true);
    proxy.stop().await;
    nothing_was_asked(&public);
}
