//! Who a proxy is to others: the id in every answer, what it lasts as long as, and whom it is shared with.

use http::Method;
use tempfile::TempDir;

use crate::support::entry::{keys_of, numbered};
use crate::support::eventually;
use crate::support::http::send;
use crate::support::lineage::{HEADER, assert_stays_refused, id, ids};
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, FakeRegistry};
use crate::support::relay::Relay;

fn store(path: &TempDir) -> String {
    format!("[store]\npath = '{}'", path.path().display())
}

fn temporary() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[tokio::test]
async fn replicas_are_one_proxy() {
    let (shared, relay) = (temporary(), Relay::start().await);
    let replica = || Setup::new().settings(&store(&shared)).registry("other", &relay.url());
    let (one, two) = (replica().start().await, replica().start().await);
    assert_eq!(id(&one).await, id(&two).await);
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let other = Setup::new()
        .registry("replica", &format!("http://{}/v0.1", two.address()))
        .registry("own", &fake.url())
        .start_ready()
        .await;
    relay.lead_to(other.address());
    for replica in [&one, &two] {
        assert_stays_refused(replica, "other").await;
    }
    for proxy in [one, two, other] {
        proxy.stop().await;
    }
}

#[tokio::test]
async fn two_proxies_that_share_a_store_are_not_one() {
    let shared = temporary();
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let inner = Setup::new().settings(&store(&shared)).registry("source", &fake.url()).start_ready().await;
    let url = format!("http://{}/v0.1/servers", inner.address());
    let outer = Setup::new().settings(&store(&shared)).registry("inner", &url).start_ready().await;
    outer.until_listed(&keys_of(&numbered("com.example", 3))).await;
    assert_eq!(ids(&outer.get("/livez").await), [id(&outer).await, id(&inner).await]);
    outer.stop().await;
    inner.stop().await;
}

#[tokio::test]
async fn the_id_outlives_the_process_where_the_store_can_hold_it() {
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let id_with = async |settings: &str| {
        let proxy = Setup::new().settings(settings).registry("alpha", &fake.url()).start().await;
        let id = id(&proxy).await;
        proxy.stop().await;
        id
    };
    let good = temporary();
    assert_eq!(id_with(&store(&good)).await, id_with(&store(&good)).await);

    // Neither somebody else's file nor a place where there can be none keeps a proxy from its work.
    let corrupt = temporary();
    let file = corrupt.path().join("proxy-id");
    std::fs::write(&file, "something else").expect("a writable directory");
    let impossible = format!("[store]\npath = '{}'", file.join("below").display());
    for settings in [store(&corrupt), impossible, "[store]\npath = \"off\"".to_owned()] {
        assert_ne!(id_with(&settings).await, id_with(&settings).await, "{settings}");
    }
    assert_eq!(std::fs::read_to_string(file).expect("the file"), "something else");
}

#[tokio::test]
async fn an_empty_file_is_no_id_and_gets_one() {
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let directory = temporary();
    let file = directory.path().join("proxy-id");
    std::fs::write(&file, "").expect("a writable directory");
    let proxy = Setup::new().settings(&store(&directory)).registry("alpha", &fake.url()).start().await;
    let first = id(&proxy).await;
    proxy.stop().await;
    assert_ne!(std::fs::read_to_string(&file).expect("the file"), "");
    // The same registry, spelled otherwise.
    let proxy = Setup::new().settings(&store(&directory)).registry("alpha", &(fake.url() + "/")).start().await;
    assert_eq!(id(&proxy).await, first);
    proxy.stop().await;
}

#[tokio::test]
async fn every_answer_names_the_proxy() {
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    fake.always(Behaviour::Hold);
    let proxy = Setup::new().settings("[health]\ntimeout = \"60s\"").registry("alpha", &fake.url()).start().await;
    let own = id(&proxy).await;
    let assert_named = async |method: Method, target: &str, status: u16| {
        let reply = send(proxy.address(), method, target).await;
        assert_eq!((reply.status, ids(&reply)), (status, vec![own.clone()]), "{target}");
        assert!(reply.header("access-control-expose-headers").to_lowercase().contains(HEADER), "{target}");
    };
    assert_named(Method::GET, "/readyz", 503).await;
    assert_named(Method::GET, "/v0/servers", 503).await;
    fake.let_go().await;
    proxy.until_ready().await;
    for (target, status) in [
        ("/v0/servers", 200),
        ("/v0/servers", 200),
        ("/readyz", 200),
        ("/registries", 200),
        ("/v0/servers?cursor=nonsense", 400),
        ("/v0/servers?limit=0", 422),
        ("/v0/servers/com.example%2Funlisted/versions/latest", 404),
        ("/nowhere", 404),
    ] {
        assert_named(Method::GET, target, status).await;
    }
    assert_named(Method::OPTIONS, "/v0/servers", 204).await;
    assert_named(Method::DELETE, "/v0/servers", 405).await;
    let head = send(proxy.address(), Method::HEAD, "/v0/servers").await;
    assert_eq!(ids(&head), std::slice::from_ref(&own), "{}", head.status);
    proxy.stop().await;
}

#[tokio::test]
async fn what_a_registry_says_of_proxies_is_bounded() {
    let (fake, other) = (FakeRegistry::start(numbered("com.example", 3)).await, FakeRegistry::start(vec![]).await);
    let many: Vec<String> = (0..10_000).map(|number| format!("proxy-number-{number:05}")).collect();
    let garbage = "\u{fc}mlaut,,; a=b, \"quoted\", good_one, two words, ".to_owned() + &"x".repeat(65);
    fake.always(Behaviour::Headers(vec![(HEADER, garbage), (HEADER, many.join(","))]));
    other.always(Behaviour::Status(503, vec![(HEADER, "behind-the-other".to_owned())]));
    let proxy = Setup::new().registry("alpha", &fake.url()).registry("other", &other.url()).start_ready().await;
    proxy.until_listed(&keys_of(&numbered("com.example", 3))).await;
    let own = id(&proxy).await;
    eventually("the header named whom it should", async || {
        let reply = proxy.get("/livez").await;
        let named = ids(&reply);
        let is_right = named[..2] == [own.clone(), "good_one".to_owned()]
            && named.contains(&"behind-the-other".to_owned())
            && named.contains(&many[100])
            && named.len() == 128
            && reply.header(HEADER).len() <= 3072;
        if is_right { Ok(()) } else { Err(format!("{named:?}")) }
    })
    .await;

    // Ours is found at the end of them all.
    fake.behave();
    fake.always(Behaviour::Headers(vec![(HEADER, many.join(", ")), (HEADER, own.clone())]));
    assert_stays_refused(&proxy, "alpha").await;
    proxy.stop().await;
}
