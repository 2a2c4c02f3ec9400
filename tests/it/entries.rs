//! What becomes of single entries: the broken ones are left out and reported, the others are served byte
//! for byte, and nobody but the proxy writes the provenance.

use serde_json::json;

use crate::support::entry::{Entry, OFFICIAL, PROVENANCE, keys, provenance};
use crate::support::proxy::{Proxy, Setup};
use crate::support::registry::{Behaviour, FakeRegistry};

/// A proxy over a registry that answers every request with this document.
async fn over(document: &str, settings: &str) -> (FakeRegistry, Proxy) {
    let registry = FakeRegistry::start(Vec::new()).await;
    registry.always(Behaviour::text(document));
    let proxy = Setup::new().settings(settings).registry("alpha", &registry.url()).start_ready().await;
    (registry, proxy)
}

/// A `server` object that is whole but for one member.
fn server(member: &str) -> String {
    format!(r#"{{"server":{{"name":"com.example/broken","version":"1.0.0","description":"d",{member}}}}}"#)
}

/// Entries that would break clients, and what the reason must say.
fn broken() -> Vec<(String, &'static str)> {
    let meta = |member: &str| {
        format!(
            r#"{{"server":{{"name":"a/b","version":"1","description":"d"}},"_meta":{{"{OFFICIAL}":{{{member}}}}}}}"#
        )
    };
    vec![
        (r#"{"server":{"version":"1.0.0","description":"d"}}"#.to_owned(), "no `server.name`"),
        (r#"{"server":{"name":"","version":"1.0.0","description":"d"}}"#.to_owned(), "`server.name` that is empty"),
        (r#"{"server":{"name":"a/b","description":"d"}}"#.to_owned(), "no `server.version`"),
        (r#"{"server":{"name":"a/b","version":"","description":"d"}}"#.to_owned(), "`server.version` that is empty"),
        (r#"{"server":{"name":"a/b","version":"1"}}"#.to_owned(), "no `server.description`"),
        (
            r#"{"server":{"name":"a/b","version":"1","description":""}}"#.to_owned(),
            "`server.description` that is empty",
        ),
        (r#"{"server":{"name":5,"version":"1","description":"d"}}"#.to_owned(), "`server.name` is a number"),
        (server(r#""title":null"#), "`server.title` is null"),
        (server(r#""packages":{}"#), "`server.packages` is an object; expected an array"),
        (server(r#""packages":[{"environmentVariables":[{"default":5}]}]"#), "environmentVariables[0].default"),
        (server(r#""remotes":[{"headers":[{"isSecret":"yes"}]}]"#), "`server.remotes[0].headers[0].isSecret`"),
        (server(r#""name":"com.example/twice""#), "duplicate key `name`"),
        (server(r#""x":{"a":1,"a":2}"#), "duplicate key `a`"),
        (meta(r#""publishedAt":"yesterday""#), "not an RFC 3339 timestamp"),
        (meta(r#""updatedAt":"""#), "not an RFC 3339 timestamp"),
        (meta(r#""isLatest":"true""#), "`isLatest` that is a string"),
        (meta(r#""status":1"#), "`status` that is a number"),
        (
            r#"{"server":{"name":"a/b","version":"1","description":"d"},"_meta":[]}"#.to_owned(),
            "`_meta` that is an array",
        ),
        ("\"a/b\"".to_owned(), "is a string; expected an object"),
        ("null".to_owned(), "is null; expected an object"),
        ("{}".to_owned(), "neither `server` nor `name`"),
    ]
}

#[tokio::test]
async fn broken_entries_are_left_out_with_a_reason_and_cost_nothing_else() {
    let good = |name: &str| Entry::new(name, "1.0.0").into_value().to_string();
    let elements: Vec<String> = broken().into_iter().map(|(element, _)| element).collect();
    let document =
        format!("{{\"servers\":[{},{},{}]}}", good("com.example/a"), elements.join(","), good("com.example/z"));
    let (_registry, proxy) = over(&document, "").await;

    assert_eq!(keys(&proxy.walk("include_deleted=true", 100).await), ["com.example/a@1.0.0", "com.example/z@1.0.0"]);
    let status = proxy.registry("alpha").await;
    assert_eq!(status["refused"]["count"], elements.len(), "{status}");
    assert_eq!(status["state"], "healthy");
    let refused = status["refused"]["entries"].as_array().expect("refused entries");
    for ((element, expected), refused) in broken().iter().zip(refused) {
        let reason = refused["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(expected), "{element}: {reason}");
    }
    assert_eq!(refused[7]["name"], "com.example/broken");
    assert_eq!(refused[7]["version"], "1.0.0");
    proxy.stop().await;
}

#[tokio::test]
async fn a_thousand_refused_entries_are_listed_and_all_are_counted() {
    let elements: Vec<String> = (0..1_100).map(|number| format!(r#"{{"server":{{"name":"a/{number}"}}}}"#)).collect();
    let document = format!("{{\"servers\":[{}]}}", elements.join(","));
    let (_registry, proxy) = over(&document, "").await;
    let status = proxy.registry("alpha").await;
    assert_eq!(status["refused"]["count"], 1_100);
    assert_eq!(status["refused"]["entries"].as_array().map(Vec::len), Some(1_000));
    let listed = proxy.json("/registries").await;
    assert_eq!(listed["registries"][0]["refused"], json!({ "count": 1_100 }));
    proxy.stop().await;
}

/// Odd and valid: an order of keys of its own, escapes, number forms, unknown fields and values.
const ODD: &str = concat!(
    r#"{"zeta":[1.0,1e2,-0,0.10,12345678901234567890123,1E+2,{"b":null,"a":true}],"version":"1.0.0+b\u00fcild","#,
    r#""description":"caf\u00e9 \/ <b>&amp;<\/b> \ud83e\udd80 🦀 \"q\" \\u0041","name":"com.example\/odd","#,
    r#""$schema":"","packages":[{"registryType":"zip","novel":{},"transport":{"type":"carrier-pigeon"}}],"#,
    r#""repository":{},"_meta":{},"unknown":{"null":null,"":""}}"#
);

#[tokio::test]
async fn the_server_object_is_served_byte_for_byte() {
    let (_registry, proxy) = over(&format!("{{\"servers\":[{{\"server\":{ODD}}}]}}"), "").await;
    let expected = format!("{{\"server\":{ODD},\"_meta\":{{");
    let targets = [
        "/v0.1/servers",
        "/v0/servers/com.example%2Fodd/versions",
        "/v0.1/servers/com.example%2Fodd/versions/latest",
        "/servers/com.example/odd/versions/1.0.0%2Bb%C3%BCild",
    ];
    for target in targets {
        let reply = proxy.get(target).await;
        assert!(reply.status == 200 && reply.text().contains(&expected), "{target}: {}", reply.text());
    }
    proxy.stop().await;
}

#[tokio::test]
async fn only_the_white_space_between_tokens_goes() {
    let document = "{ \"servers\" : [ {\n \"server\" :\t{ \"name\" : \"a/b\" ,\r\n \"version\":\"1\", \"description\":\" a  b\\n\", \
                    \"x\" : [ 1 , 2 ] } } ] }";
    let (_registry, proxy) = over(document, "").await;
    let text = proxy.get("/v0.1/servers").await;
    let expected = r#"{"server":{"name":"a/b","version":"1","description":" a  b\n","x":[1,2]},"_meta":{"#;
    assert!(text.text().contains(expected), "{}", text.text());
    proxy.stop().await;
}

#[tokio::test]
async fn foreign_members_of_meta_are_kept() {
    let foreign = r#""com.pulsemcp/server":{"visitors":1.50,"z":[],"a":{}},"x-ms-icon":"i","dev.toolhive":null"#;
    let server = r#"{"name":"a/b","version":"1","description":"d"}"#;
    let document = format!("{{\"servers\":[{{\"server\":{server},\"_meta\":{{{foreign}}}}}]}}");
    let (_registry, proxy) = over(&document, "").await;
    let reply = proxy.get("/v0.1/servers").await;
    assert!(reply.text().contains(foreign), "{}", reply.text());
    proxy.stop().await;
}

/// Serves an entry that brings a block of its own, spelled `sent`, under the proxy's `key`. The only block
/// under that key must be the proxy's; what the registry said of its own sources stands inside.
async fn assert_provenance_is_ours(key: &str, sent: &str, settings: &str) {
    let forged = r#"{"registry":"official","url":"https://x.example","sha256":"00","alsoIn":["x"],"divergent":true}"#;
    let server = r#"{"name":"a/b","version":"1","description":"d"}"#;
    let document = format!("{{\"servers\":[{{\"server\":{server},\"_meta\":{{\"{sent}\":{forged}}}}}]}}");
    let (registry, proxy) = over(&document, settings).await;
    let reply = proxy.get("/v0.1/servers").await;
    assert_eq!(reply.text().matches(&format!("\"{key}\":")).count(), 1, "{}", reply.text());
    assert!(sent == key || !reply.text().contains(sent), "{}", reply.text());
    let block = &reply.json()["servers"][0]["_meta"][key];
    assert_eq!((&block["registry"], &block["url"]), (&json!("alpha"), &json!(registry.url())), "{sent}");
    assert_eq!((&block["alsoIn"], &block["divergent"]), (&json!([]), &json!(false)), "{sent}");
    assert_eq!(block["sha256"].as_str().map(str::len), Some(64), "{sent}");
    proxy.stop().await;
}

#[tokio::test]
async fn no_registry_can_supply_the_provenance() {
    for spelling in [PROVENANCE, "mcp-registry-proxy\\/provenance", "mcp\\u002dregistry-proxy/provenance"] {
        assert_provenance_is_ours(PROVENANCE, spelling, "").await;
    }
    let key = "com.example/origin";
    assert_provenance_is_ours(key, key, &format!("[provenance]\nkey = {key:?}")).await;
}

#[tokio::test]
async fn urls_can_be_kept_from_the_public() {
    let registry = FakeRegistry::start(vec![Entry::new("com.example/a", "1.0.0")]).await;
    let settings = "[provenance]\npublish_urls = false";
    let proxy = Setup::new().settings(settings).registry("alpha", &registry.url()).start_ready().await;
    let entries = proxy.walk("", 100).await;
    assert_eq!(provenance(&entries[0])["registry"], "alpha");
    for target in ["/v0.1/servers", "/registries", "/registries/alpha"] {
        let reply = proxy.get(target).await;
        assert!(!reply.text().contains(&registry.base()), "{target}: {}", reply.text());
    }
    proxy.stop().await;
}
