//! Registries that stay in the catalog although they are unhealthy (`serve-stale`), and registries that are
//! files.

use std::path::Path;

use crate::support::entry::{Entry, keys_of, list, numbered};
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, FakeRegistry};

#[tokio::test]
async fn serve_stale_goes_on_serving_until_max_stale() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    let health = "[registries.health]\nwhen_unhealthy = \"serve-stale\"\nmax_stale = \"3s\"";
    let proxy =
        Setup::new().registry_with("alpha", &format!("url = {:?}\n{health}", registry.url())).start_ready().await;
    registry.always(Behaviour::status(500));
    let status = proxy.until_state("alpha", "unhealthy").await;
    assert_eq!(status["usable"], true, "{status}");
    assert_eq!(proxy.walk("", 100).await.len(), 3);
    assert_eq!(proxy.get("/v0/servers/com.example%2Fserver-0000/versions/latest").await.status, 200);

    // Nothing tells the proxy but its clock.
    proxy.until_answered("/v0/servers", 503).await;
    assert_eq!(proxy.registry("alpha").await["usable"], false);
    registry.behave();
    proxy.until_answered("/v0/servers", 200).await;
    proxy.stop().await;
}

#[tokio::test]
async fn serve_stale_serves_nothing_where_nothing_was_ever_listed() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    registry.always(Behaviour::status(500));
    let settings = "[health]\nwhen_unhealthy = \"serve-stale\"";
    let proxy = Setup::new().settings(settings).registry("alpha", &registry.url()).start_ready().await;
    assert_eq!(proxy.get("/v0/servers").await.status, 503);
    assert_eq!(proxy.registry("alpha").await["usable"], false);
    proxy.stop().await;
}

/// Replaces a file as an administrator's tools do: at once.
fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).expect("a writable directory");
    std::fs::rename(new, path).expect("a writable directory");
}

#[tokio::test]
async fn a_file_that_breaks_leaves_and_comes_back_when_it_is_mended() {
    let document = |entries: &[Entry]| list(entries, None).to_string();
    let other = FakeRegistry::start(numbered("com.other", 2)).await;
    let proxy = Setup::new()
        .file("curated", document(&numbered("com.curated", 3)))
        .registry("other", &other.url())
        .start_ready()
        .await;
    let (curated, rest) = (keys_of(&numbered("com.curated", 3)), keys_of(&numbered("com.other", 2)));
    proxy.until_listed(&[&curated[..], &rest[..]].concat()).await;

    let path = proxy.directory().join("curated.json");
    replace(&path, "{\"servers\": [");
    let status = proxy.until_state("curated", "unhealthy").await;
    assert_eq!(status["lastCheck"]["stages"][2]["ok"], false, "{status}");
    proxy.until_listed(&rest).await;
    let lookup = proxy.get("/v0/servers/com.curated%2Fserver-0001/versions/latest").await;
    assert!(lookup.status == 503 && lookup.detail().contains("curated"), "{}", lookup.text());

    let mended = numbered("com.curated", 4);
    replace(&path, &document(&mended));
    proxy.until_state("curated", "healthy").await;
    proxy.until_listed(&[keys_of(&mended), rest].concat()).await;
    proxy.stop().await;
}

#[tokio::test]
async fn a_file_is_read_again_when_it_changes() {
    let proxy = Setup::new().file("curated", list(&numbered("com.curated", 3), None).to_string()).start_ready().await;
    let path = proxy.directory().join("curated.json");
    let changed = vec![Entry::new("com.curated/server-0000", "1.1.0"), Entry::new("com.curated/server-0002", "1.0.0")];
    replace(&path, &list(&changed, None).to_string());
    proxy.until_listed(&keys_of(&changed)).await;
    let bare: Vec<_> = changed.iter().take(1).cloned().map(Entry::into_value).collect();
    replace(&path, &serde_json::Value::from(bare).to_string());
    proxy.until_listed(&keys_of(&changed[..1])).await;
    proxy.stop().await;
}
