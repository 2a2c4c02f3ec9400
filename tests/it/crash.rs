//! A process that is killed at any instant comes up again with a listing that was once true, and never with an older
//! one than before.

use std::fs;
use std::path::Path;
use std::time::Duration;

use http::Method;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::support::binary::{Serving, Workplace};
use crate::support::entry::{Entry, numbered};
use crate::support::http::send;
use crate::support::proxy::walk;
use crate::support::registry::{Behaviour, FakeRegistry};
use crate::support::{PATIENCE, check, eventually};

const SERVERS: usize = 600;
/// How many processes are killed one after the other; several such chains run side by side.
const CHAINS: u64 = 4;

/// What the registry lists in one generation.
fn generation(number: u64) -> Vec<Entry> {
    let describe = |entry: Entry| entry.server("description", format!("generation {number}"));
    numbered("com.example", SERVERS).into_iter().map(describe).collect()
}

fn workplace(fake: &FakeRegistry) -> Workplace {
    let workplace = Workplace::new();
    let configuration = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"off\"\n[network]\nproxy = \"off\"\n[log]\nformat = \"json\"\n\
         [health]\ntimeout = \"60s\"\n[refresh]\ninterval = \"100ms\"\nfull_interval = \"100ms\"\nmax_rate = 1000\n\
         [store]\npath = \"store\"\n[[registries]]\nname = \"alpha\"\nurl = {:?}\n",
        fake.url()
    );
    workplace.write("proxy.toml", configuration);
    workplace
}

/// The generation of what a proxy lists; all of it must be of one.
async fn listed_generation(serving: &Serving) -> u64 {
    let entries = walk(serving.address, "", 100).await;
    assert_eq!(entries.len(), SERVERS);
    let number = |entry: &Value| {
        let text = entry["server"]["description"].as_str().and_then(|text| text.strip_prefix("generation "));
        text.and_then(|number| number.parse().ok()).expect("an entry of a generation")
    };
    let first = number(&entries[0]);
    assert!(entries.iter().all(|entry| number(entry) == first), "a mixture");
    first
}

/// Waits for something to be written, or being written, or for some time; and then a little longer.
async fn wait_for_a_moment(number: u64, listings: &Path) {
    let listing = listings.join("alpha.listing");
    let modified = || fs::metadata(&listing).and_then(|file| file.modified()).ok();
    let before = modified();
    if number > 1 && fastrand::bool() {
        sleep(Duration::from_millis(fastrand::u64(0..1500))).await;
        return;
    }
    let until = Instant::now() + PATIENCE;
    while modified() == before && (number == 1 || !listings.join("new").exists()) {
        assert!(Instant::now() < until, "nothing is written");
        sleep(Duration::from_millis(1)).await;
    }
    sleep(Duration::from_micros(fastrand::u64(0..20_000))).await;
}

/// Kills so many processes, one after the other. The first one has kept something by then; so every other one has
/// something to begin with.
async fn kill(kills: u64) {
    let fake = FakeRegistry::start(generation(0)).await;
    let workplace = workplace(&fake);
    let listings = workplace.path("store/listings");
    let mut last = 0;
    for number in 1..=kills {
        fake.always(Behaviour::Hold);
        let mut serving = workplace.serve(&["--config", "proxy.toml"]).await;
        if number > 1 {
            eventually("it was ready", async || {
                let ready = send(serving.address, Method::GET, "/readyz").await;
                check(ready.status == 200, (number, ready.text(), serving.log_with("WARN")))
            })
            .await;
            let found = listed_generation(&serving).await;
            assert!(last <= found && found < number, "{last} before, {found} now, at {number}");
            last = found;
        }
        assert_eq!(serving.log_with("WARN"), [""; 0], "nothing is wrong with the store");
        fake.set_entries(generation(number));
        fake.let_go().await;
        wait_for_a_moment(number, &listings).await;
        serving.kill();
    }
}

async fn kill_in_chains(kills: u64) {
    let chains: Vec<_> = (0..CHAINS).map(|_| tokio::task::spawn_local(kill(kills / CHAINS))).collect();
    for chain in chains {
        chain.await.expect("no panic");
    }
}

#[tokio::test]
async fn twenty_killed_processes_lose_nothing_that_was_kept() {
    tokio::task::LocalSet::new().run_until(kill_in_chains(20)).await;
}

#[tokio::test]
#[ignore = "takes a minute; run it where the store has changed"]
async fn two_hundred_killed_processes_lose_nothing_that_was_kept() {
    tokio::task::LocalSet::new().run_until(kill_in_chains(200)).await;
}
