//! A process that has little: memory, a place to log to, a store that is somewhere else.

use http::Method;

use super::{configuration, of_a_file, serve, until_ready};
use crate::support::binary::Workplace;
use crate::support::entry::numbered;
use crate::support::http::send;
use crate::support::proxy::walk;
use crate::support::registry::{Behaviour, FakeRegistry};
use crate::support::{check, eventually};

/// The address space of a thread's stack and of an allocator's arena is large, and not used: half a gigabyte is
/// little.
#[tokio::test]
async fn p12_little_memory() {
    let workplace = of_a_file(2_000);
    let mut serving = workplace.serve_after("ulimit -v 524288", &["--config", "proxy.toml"]).await;
    until_ready(&serving).await;
    for _ in 0..3 {
        assert_eq!(walk(serving.address, "", 100).await.len(), 2_000);
    }
    assert!(serving.is_running() && serving.log_with("panicked").is_empty(), "{}", serving.log());
    serving.signal("TERM");
    assert_eq!(serving.exit_code().await, Some(0));
}

/// The pipe is full after some hundred lines. None of those who log may wait for somebody to read it.
#[tokio::test]
async fn p16_a_log_that_nobody_reads() {
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let workplace = Workplace::new();
    let text = configuration(&format!("url = {:?}\n[registries.health]\ninterval = \"20ms\"", fake.url()));
    workplace.write("proxy.toml", &text);
    let mut serving = workplace.serve_unread(&["--config", "proxy.toml", "--log-level", "trace"]).await;
    until_ready(&serving).await;
    // Each of these is told; a pipe holds 64 KiB.
    for number in 0..400 {
        workplace.write("proxy.toml", format!("{text}# {}\nnonsense-{number} = [\n", "x".repeat(100)));
        serving.signal("HUP");
        assert_eq!(send(serving.address, Method::GET, "/livez").await.status, 200, "after {number} lines");
    }
    fake.always(Behaviour::status(500));
    eventually("the registry was found unhealthy", async || {
        let reply = send(serving.address, Method::GET, "/registries/alpha").await;
        check(reply.json()["state"] == "unhealthy", reply.text())
    })
    .await;
    serving.signal("TERM");
    assert_eq!(serving.exit_code().await, Some(0));
}

#[tokio::test]
async fn p16_no_standard_output() {
    let workplace = of_a_file(3);
    let mut serving = workplace.serve_after("exec >&- <&-", &["--config", "proxy.toml"]).await;
    until_ready(&serving).await;
    assert_eq!(walk(serving.address, "", 100).await.len(), 3);
    serving.signal("TERM");
    assert_eq!(serving.exit_code().await, Some(0));
}

#[tokio::test]
async fn p05_a_store_behind_a_link() {
    let entries = numbered("com.example", 3);
    let fake = FakeRegistry::start(entries).await;
    let workplace = Workplace::new();
    workplace.write("proxy.toml", configuration(&format!("url = {:?}", fake.url())));
    std::fs::create_dir(workplace.path("elsewhere")).expect("a writable directory");
    std::os::unix::fs::symlink("elsewhere", workplace.path("store")).expect("a link");
    let mut serving = serve(&workplace).await;
    serving.signal("TERM");
    assert_eq!(serving.exit_code().await, Some(0));
    assert!(workplace.path("elsewhere/listings/alpha.listing").exists(), "it is where the link leads");
    fake.always(Behaviour::Hold);
    let serving = serve(&workplace).await;
    assert_eq!(walk(serving.address, "", 100).await.len(), 3);
    fake.behave();
}
