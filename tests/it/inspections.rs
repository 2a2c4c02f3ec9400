//! `/conflicts` and `/duplicates` over sockets: what was planted is found and nothing else, page by page, and the
//! answers are kept and dressed as all others are.

use serde_json::{Value, json};

use crate::support::description::Description;
use crate::support::entry::Entry;
use crate::support::http::send;
use crate::support::proxy::{Proxy, Setup};
use crate::support::registry::{Behaviour, FakeRegistry};
use crate::support::{check, eventually};

/// All of a list, by pages of this size.
async fn walk(proxy: &Proxy, list: &str, query: &str, limit: usize) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let mut page = proxy.json(&format!("/{list}?limit={limit}&{query}{cursor}")).await;
        assert_eq!(page["metadata"]["count"], page[list].as_array().map(Vec::len).expect("a list"));
        all.append(page[list].as_array_mut().expect("a list"));
        match page["metadata"]["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

fn package(identifier: &str) -> Value {
    json!([{ "registryType": "npm", "identifier": identifier, "transport": { "type": "stdio" } }])
}

/// A list of 60 servers that have nothing in common but a repository, and in it a few that have.
fn honest() -> Vec<Entry> {
    let one = |number: usize| {
        Entry::new(&format!("com.maker-{number}/{:x}", number * 7919 + 65537), "1.0.0")
            .server("repository", json!({ "url": "https://github.com/maker/everything", "source": "github" }))
            .server("packages", package(&format!("package-{number}")))
    };
    (0..60).map(one).collect()
}

#[tokio::test]
async fn what_was_planted_is_found_and_nothing_else() {
    let planted = |name: &str, version: &str| Entry::new(name, version);
    let mut alpha = honest();
    alpha.push(planted("com.acme/search", "1.0.0").server("title", "A").server("packages", package("acme-search")));
    alpha.push(planted("org.same/tool", "1.0.0"));
    let mut beta = honest();
    beta.push(planted("com.acme/search", "1.0.0").server("title", "B").server("packages", package("acme-search")));
    beta.push(planted("org.same/tool", "1.0.0").server("_meta", json!({ "x/y": { "stars": 5 } })));
    beta.push(planted("org.same/tool", "2.0.0"));
    beta.push(planted("net.copycat/finder", "1.0.0").server("packages", package("acme-search")));
    beta.push(planted("com.acrne/search", "1.0.0"));
    let (alpha, beta) = (FakeRegistry::start(alpha).await, FakeRegistry::start(beta).await);
    let proxy = Setup::new().registry("alpha", &alpha.url()).registry("beta", &beta.url()).start_ready().await;
    proxy.until("alpha", "it was walked", |status| status["listing"] == "complete").await;
    proxy.until("beta", "it was walked", |status| status["listing"] == "complete").await;

    let conflicts = walk(&proxy, "conflicts", "", 1).await;
    let kinds: Vec<_> = conflicts.iter().map(|one| (one["kind"].clone(), one["name"].clone())).collect();
    assert_eq!(kinds, [(json!("content"), json!("com.acme/search")), (json!("latest"), json!("org.same/tool"))]);
    assert_eq!(conflicts[0]["listings"][1]["differences"], json!([{"pointer": "/title", "winner": "A", "other": "B"}]));
    assert_eq!(walk(&proxy, "conflicts", "", 100).await, conflicts);
    assert_eq!(walk(&proxy, "conflicts", "name=ORG.*&registry=alpha", 100).await, conflicts[1..]);

    let mut duplicates = walk(&proxy, "duplicates", "", 1).await;
    assert_eq!(walk(&proxy, "duplicates", "", 100).await, duplicates);
    // Both begin with the same name.
    duplicates.sort_by_key(|one| one["kind"].as_str().map(str::to_owned));
    let told: Vec<_> = duplicates
        .iter()
        .map(|one| (one["kind"].clone(), one["servers"][0]["name"].clone(), one["servers"][1]["name"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (json!("look-alike"), json!("com.acme/search"), json!("com.acrne/search")),
            (json!("same"), json!("com.acme/search"), json!("net.copycat/finder")),
        ]
    );
    assert_eq!(duplicates[1]["grade"], "certain");
    assert_eq!(walk(&proxy, "duplicates", "kind=same&grade=certain", 100).await, duplicates[1..]);
    proxy.stop().await;
}

#[tokio::test]
async fn answers_are_as_described_kept_and_made_anew_with_the_catalog() {
    let entry = |title: &str| vec![Entry::new("com.acme/search", "1.0.0").server("title", title)];
    let (alpha, beta) = (FakeRegistry::start(entry("A")).await, FakeRegistry::start(entry("A")).await);
    let settings = "[admin]\nlisten = \"127.0.0.1:0\"\n[refresh]\nfull_interval = \"100ms\"";
    let setup = Setup::new().settings(settings).registry("alpha", &alpha.url()).registry("beta", &beta.url());
    let proxy = setup.start_ready().await;
    let description = Description::of(&proxy).await;
    for (path, queries) in [
        ("/conflicts", ["", "?limit=1", "?cursor=none", "?limit=0", "?kind=all", "?name=x*&registry=none"]),
        ("/duplicates", ["", "?limit=1", "?cursor=none", "?grade=best", "?kind=all", "?name=x*&registry=none"]),
    ] {
        for (query, status) in queries.iter().zip([200, 200, 400, 422, 422, 200]) {
            let target = format!("{path}{query}");
            let reply = proxy.get(&target).await;
            assert_eq!(reply.status, status, "{target}: {}", reply.text());
            description.check(path, &http::Method::GET, &target, &reply);
        }
        assert_eq!(send(proxy.admin(), http::Method::GET, path).await.status, 200, "{path} of the admin listener");
        let reply = proxy.get(path).await;
        let again = proxy.get_with(path, &[("if-none-match", reply.header("etag"))]).await;
        assert_eq!(again.status, 304, "{path}");
    }
    assert_eq!(walk(&proxy, "conflicts", "", 30).await, Vec::<Value>::new());
    beta.set_entries(entry("B"));
    eventually("the conflict was told", async || {
        let conflicts = walk(&proxy, "conflicts", "", 30).await;
        check(conflicts.len() == 1, conflicts)
    })
    .await;
    for registry in [&alpha, &beta] {
        registry.always(Behaviour::status(500));
    }
    for path in ["/conflicts", "/duplicates"] {
        proxy.until_answered(path, 503).await;
    }
    proxy.stop().await;
}
