//! Where Redis may be, and how it is spoken to.

use super::{Replica, Setup, until_alike, until_one_leads};
use crate::support::entry::numbered;
use crate::support::redis::{FREE_PORT, Redis};
use crate::support::registry::FakeRegistry;
use crate::support::tls::Certificate;
use crate::support::{check, eventually};

/// Two replicas share what there is, through a Redis at that URL.
async fn share(redis: &Redis, setup: &Setup) {
    let (one, two) = (Replica::start(redis, setup).await, Replica::start(redis, setup).await);
    let leader = until_one_leads(&[&one, &two]).await;
    until_alike(&[&one, &two]).await;
    let follower = if leader == 0 { &two } else { &one };
    follower.until_counted(3).await;
    assert!(follower.standing().await["error"].is_null());
}

fn setup(fake: &FakeRegistry, url: String) -> Setup {
    Setup { url: Some(url), ..Setup::of(fake) }
}

#[tokio::test]
async fn a_password_opens_redis_and_is_told_to_nobody() {
    let Some(redis) = Redis::start_with(&["--requirepass", "open-sesame"]).await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    share(&redis, &setup(&fake, format!("redis://default:open-sesame@{}/3", redis.address()))).await;
    let wrong = setup(&fake, format!("redis://default:close-sesame@{}", redis.address()));
    let replica = Replica::start(&redis, &wrong).await;
    eventually("it said that it is not let in", async || {
        let standing = replica.standing().await;
        check(standing["error"].is_string(), standing)
    })
    .await;
    let told = format!("{} {}", replica.get("/registries").await.text(), replica.process.log());
    assert!(!told.contains("sesame"), "{told}");
}

/// The user whom the manual and the manifests tell people to make: what it may do is enough, and what it may not is refused.
#[tokio::test]
async fn the_user_of_the_manual_may_do_what_is_needed_and_nothing_else() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules = |page: &str| {
        let text = std::fs::read_to_string(root.join(page)).expect("a page");
        let rule = text.lines().map(str::trim).find(|line| line.starts_with("user mcp-registry-proxy on >"));
        rule.unwrap_or_else(|| panic!("{page} names no user")).to_owned()
    };
    let rule = rules("docs/replicas.md");
    assert_eq!(rules("deploy/kubernetes-redis/secret.example.yaml"), rule);
    // As the manual says, Redis before 7.2 does not know of this one, and reads no rule that names it.
    let rule = if Redis::is_older_than(7, 2) { rule.replace("+client|setinfo ", "") } else { rule };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let users = directory.path().join("users.acl");
    // Somebody else looks at what was refused.
    std::fs::write(&users, format!("user default on nopass ~* &* +@all\n{rule}\n")).expect("a writable directory");
    let Some(redis) = Redis::start_with(&["--aclfile", &users.to_string_lossy()]).await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let url = format!("redis://mcp-registry-proxy:REPLACE-ME@{}", redis.address());
    let mut reading_through = setup(&fake, url);
    reading_through.registries += "[read_through]\nenabled = true\n";
    share(&redis, &reading_through).await;
    let replica = Replica::start(&redis, &reading_through).await;
    replica.until_counted(3).await;
    assert_eq!(replica.get("/v0.1/servers/com.example%2Fno/versions/latest").await.status, 404, "it is looked up");
    let refused = redis.command("ACL LOG").await;
    assert!(refused.starts_with("*0"), "{refused}");
    let refused = |command: &str| {
        let asked = format!("AUTH mcp-registry-proxy REPLACE-ME\r\n{command}");
        let redis = &redis;
        async move { assert!(redis.command(&asked).await.contains("-NOPERM"), "{asked}") }
    };
    for command in ["FLUSHALL", "CONFIG GET *", "GET other", "SET other x", "KEYS *", "PUBLISH other x", "ACL LIST"] {
        refused(command).await;
    }
}

#[tokio::test]
async fn a_redis_under_tls_is_trusted_by_the_authorities_of_the_configuration() {
    let (certificate, directory) = (Certificate::new(), tempfile::tempdir().expect("a temporary directory"));
    certificate.write(directory.path());
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let (chain, key) = (path("chain.pem"), path("key.pem"));
    let arguments = ["--tls-port", FREE_PORT, "--tls-cert-file", &chain, "--tls-key-file", &key];
    let arguments = [&arguments[..], &["--tls-ca-cert-file", &chain, "--tls-auth-clients", "no"]].concat();
    let Some(redis) = Redis::start_with(&arguments).await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let mut trusting = setup(&fake, format!("rediss://localhost:{}", redis.second_port()));
    let strict = trusting.clone();
    trusting.settings = format!("ca_file = {chain:?}\n");
    share(&redis, &trusting).await;
    let replica = Replica::start(&redis, &strict).await;
    eventually("it did not trust it", async || {
        let standing = replica.standing().await;
        check(standing["error"].is_string(), standing)
    })
    .await;
}

#[tokio::test]
async fn a_sentinel_says_where_redis_is() {
    let Some(redis) = Redis::start().await else { return };
    let Some(sentinel) = Redis::sentinel_of(&redis).await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    share(&redis, &setup(&fake, format!("redis+sentinel://{}/main", sentinel.address()))).await;
}

#[tokio::test]
async fn a_cluster_keeps_all_in_one_slot() {
    let cluster = ["--cluster-enabled", "yes", "--cluster-port", FREE_PORT];
    let Some(redis) = Redis::start_with(&cluster).await else { return };
    redis.command("CLUSTER ADDSLOTSRANGE 0 16383").await;
    eventually("the cluster was whole", async || {
        let info = redis.command("CLUSTER INFO").await;
        check(info.contains("cluster_state:ok"), info)
    })
    .await;
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    share(&redis, &setup(&fake, format!("redis+cluster://{}", redis.address()))).await;
}
