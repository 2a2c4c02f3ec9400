//! Where a registry's list is: every kind of URL that the contract allows, and redirects.

use crate::support::entry::{Entry, numbered, provenance};
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};

/// The paths of a registry that were asked for, each once, in the order of the first time.
fn paths(registry: &FakeRegistry) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    for request in registry.requests() {
        if !paths.contains(&request.path) {
            paths.push(request.path);
        }
    }
    paths
}

/// Starts a registry whose lists are at `roots`, configures it by its address and `suffix`, and checks which
/// paths are asked for and which URL is shown.
async fn is_found(roots: &[&str], suffix: &str, asked: &[&str]) {
    let registry = FakeRegistry::start_at(roots, numbered("com.example", 120)).await;
    let proxy = Setup::new().registry("alpha", &format!("{}{suffix}", registry.base())).start_ready().await;
    let entries = proxy.walk("", 100).await;
    assert_eq!(entries.len(), 120, "{suffix}");
    assert_eq!(paths(&registry), asked, "{suffix}");
    let url = format!("{}{}", registry.base(), asked.last().expect("a path"));
    assert_eq!(proxy.registry("alpha").await["url"], url.as_str(), "{suffix}");
    assert_eq!(provenance(&entries[0])["url"], url.as_str(), "{suffix}");
    proxy.stop().await;
}

#[tokio::test]
async fn a_url_that_ends_in_servers_or_json_is_the_list() {
    is_found(&["/v0.1/servers"], "/v0.1/servers", &["/v0.1/servers"]).await;
    is_found(&["/registry/api/v1/servers"], "/registry/api/v1/servers/", &["/registry/api/v1/servers"]).await;
    is_found(&["/mcp/registry.json"], "/mcp/registry.json", &["/mcp/registry.json"]).await;
}

#[tokio::test]
async fn a_url_that_ends_in_an_api_version_gets_servers() {
    is_found(&["/v0/servers"], "/v0", &["/v0/servers"]).await;
    is_found(&["/acme/v0.1/servers"], "/acme/v0.1/", &["/acme/v0.1/servers"]).await;
}

#[tokio::test]
async fn a_base_url_is_probed_for_v0_1_and_then_for_v0() {
    is_found(&["/v0/servers", "/v0.1/servers"], "", &["/v0.1/servers"]).await;
    is_found(&["/v0/servers"], "/", &["/v0.1/servers", "/v0/servers"]).await;
}

#[tokio::test]
async fn a_base_url_may_have_a_path() {
    is_found(&["/workspaces/default/v0.1/servers"], "/workspaces/default", &["/workspaces/default/v0.1/servers"]).await;
    let asked = ["/registry/acme/v0.1/servers", "/registry/acme/v0/servers"];
    is_found(&["/registry/acme/v0/servers"], "/registry/acme", &asked).await;
}

#[tokio::test]
async fn a_base_url_that_answers_other_paths_with_a_page_is_still_probed() {
    let registry = FakeRegistry::start_at(&["/v0/servers"], numbered("com.example", 3)).await;
    let page = Behaviour::Body("text/html", "<!doctype html><p>Welcome</p>".into());
    registry.when(|seen| seen.path != "/v0/servers", page);
    let proxy = Setup::new().registry("alpha", &registry.base()).start_ready().await;
    assert_eq!(proxy.walk("", 100).await.len(), 3);
    proxy.stop().await;
}

#[tokio::test]
async fn a_registry_that_moves_to_another_api_version_is_found_again() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    registry.when(|seen| seen.path == "/v0.1/servers", Behaviour::status(404));
    let proxy = Setup::new()
        .settings("[refresh]\nfull_interval = \"100ms\"")
        .registry("alpha", &registry.base())
        .start_ready()
        .await;
    assert_eq!(proxy.registry("alpha").await["url"], format!("{}/v0/servers", registry.base()));
    registry.behave();
    registry.when(|seen| seen.path == "/v0/servers", Behaviour::status(404));
    registry.set_entries(vec![Entry::new("com.example/moved", "1.0.0")]);
    proxy.until_listed(&["com.example/moved@1.0.0".to_owned()]).await;
    assert_eq!(proxy.registry("alpha").await["url"], registry.url());
    proxy.stop().await;
}

#[tokio::test]
async fn redirects_to_the_same_host_are_followed_three_times_with_the_credentials() {
    let registry = FakeRegistry::start_at(&["/d"], numbered("com.example", 120)).await;
    for (from, to) in [("/v0.1/servers", "/b"), ("/b", "/c"), ("/c", "/d")] {
        let target = registry.base() + to;
        let redirect = Behaviour::depends(move |seen| Behaviour::Redirect(format!("{target}?{}", seen.query)));
        registry.when(move |seen| seen.path == from, redirect);
    }
    let toml = format!("url = {:?}\nbearer_token = \"s3cret\"", registry.url());
    let proxy = Setup::new().registry_with("alpha", &toml).start_ready().await;
    assert_eq!(proxy.walk("", 100).await.len(), 120);
    let lists = registry.requests_where(|seen| seen.path == "/d");
    assert!(lists.iter().any(Seen::has_cursor), "the query went along");
    assert!(lists.iter().all(|seen| seen.header("authorization") == "Bearer s3cret"));
    proxy.stop().await;
}

/// Configures a registry whose list redirects to `location`; the response stage must fail for that reason.
async fn redirect_is_refused(registry: &FakeRegistry, location: String, reason: &str) {
    registry.when(|seen| seen.path == "/v0.1/servers", Behaviour::Redirect(location));
    let toml = format!("url = {:?}\nbearer_token = \"s3cret\"", registry.url());
    let proxy = Setup::new().registry_with("alpha", &toml).start_ready().await;
    let status = proxy.until_state("alpha", "unhealthy").await;
    let stage = &status["lastCheck"]["stages"][1];
    assert_eq!((&stage["stage"], &stage["ok"]), (&"response".into(), &false.into()), "{status}");
    assert!(stage["reason"].as_str().is_some_and(|found| found.contains(reason)), "{status}");
    proxy.stop().await;
}

#[tokio::test]
async fn a_redirect_to_another_host_is_refused_and_that_host_hears_nothing() {
    let registry = FakeRegistry::start(Vec::new()).await;
    let other = FakeRegistry::start(numbered("com.example", 3)).await;
    // The same machine under another name is another host.
    let elsewhere = format!("http://localhost:{}/v0.1/servers", other.port());
    redirect_is_refused(&registry, elsewhere, "another host").await;
    assert!(other.requests().is_empty(), "{:?}", other.requests());
}

#[tokio::test]
async fn a_redirect_to_another_scheme_is_refused() {
    let registry = FakeRegistry::start(Vec::new()).await;
    redirect_is_refused(&registry, "file:///etc/passwd".to_owned(), "redirected").await;
}

#[tokio::test]
async fn a_redirect_that_leads_in_a_circle_is_refused() {
    let registry = FakeRegistry::start(Vec::new()).await;
    let circle = registry.url();
    redirect_is_refused(&registry, circle, "more than 3 times").await;
}
