//! Clients that keep a copy: they ask for what is newer than the newest `updatedAt` that they have seen, and
//! miss nothing, though registries come late and flags move without `updatedAt`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::entry::{Entry, OFFICIAL, keys, list};
use crate::support::proxy::{Proxy, Setup};
use crate::support::registry::{Behaviour, FakeRegistry};

/// A client's copy.
#[derive(Default)]
struct Copy {
    entries: BTreeMap<String, Value>,
    newest: String,
}

impl Copy {
    async fn synchronise(&mut self, proxy: &Proxy) -> Vec<String> {
        let query = if self.newest.is_empty() { String::new() } else { format!("updated_since={}", self.newest) };
        let entries = proxy.walk(&query, 2).await;
        let found = keys(&entries);
        for (key, entry) in found.iter().cloned().zip(entries) {
            let updated_at = entry["_meta"][OFFICIAL]["updatedAt"].as_str().expect("a time").to_owned();
            self.newest = updated_at.max(std::mem::take(&mut self.newest));
            self.entries.insert(key, entry);
        }
        found
    }

    /// Whether it has everything that the proxy lists, as the proxy lists it.
    async fn is_complete(&self, proxy: &Proxy) -> bool {
        let listed = proxy.walk("", 100).await;
        keys(&listed).iter().zip(&listed).all(|(key, entry)| {
            let ours = self.entries.get(key).map(|ours| (&ours["server"], &ours["_meta"][OFFICIAL]));
            ours == Some((&entry["server"], &entry["_meta"][OFFICIAL]))
        })
    }
}

fn dated(name: &str, version: &str, time: &str) -> Entry {
    Entry::new(name, version).published_at(time)
}

#[tokio::test]
async fn a_registry_that_comes_late_with_old_entries_is_not_missed() {
    let early = FakeRegistry::start(vec![dated("com.early/a", "1.0.0", "2026-06-01T00:00:00Z")]).await;
    let late = FakeRegistry::start(vec![dated("com.late/b", "1.0.0", "2024-01-01T00:00:00Z")]).await;
    late.always(Behaviour::status(500));
    let proxy = Setup::new().registry("early", &early.url()).registry("late", &late.url()).start_ready().await;
    let mut copy = Copy::default();
    assert_eq!(copy.synchronise(&proxy).await, ["com.early/a@1.0.0"]);
    assert_eq!(copy.synchronise(&proxy).await, [""; 0]);
    late.behave();
    proxy.until_answered("/v0/servers/com.late%2Fb/versions/latest", 200).await;
    assert_eq!(copy.synchronise(&proxy).await, ["com.late/b@1.0.0"]);
    assert!(copy.is_complete(&proxy).await);
    proxy.stop().await;
}

#[tokio::test]
async fn flags_content_and_winners_that_move_without_a_date_are_not_missed() {
    let old = "2024-01-01T00:00:00Z";
    let both = dated("com.example/both", "1.0.0", old);
    let first = vec![both.clone(), dated("com.example/flag", "1.0.0", old), dated("com.example/text", "1.0.0", old)];
    let document = |entries: &[Entry]| list(entries, None).to_string();
    let newest = dated("com.example/newest", "1.0.0", "2026-06-01T00:00:00Z");
    let proxy =
        Setup::new().file("first", document(&first)).file("second", document(&[both, newest])).start_ready().await;
    let mut copy = Copy::default();
    assert_eq!(copy.synchronise(&proxy).await.len(), 4);

    let changed = vec![
        dated("com.example/flag", "1.0.0", old),
        dated("com.example/flag", "2.0.0", old),
        dated("com.example/text", "1.0.0", old).server("title", "Rewritten"),
    ];
    std::fs::write(proxy.directory().join("first.json"), document(&changed)).expect("writable");
    proxy.until_answered("/v0/servers/com.example%2Fflag/versions/2.0.0", 200).await;
    let both = "com.example/both@1.0.0";
    let flag = ["com.example/flag@1.0.0", "com.example/flag@2.0.0"];
    assert_eq!(copy.synchronise(&proxy).await, [both, flag[0], flag[1], "com.example/text@1.0.0"]);
    assert!(copy.is_complete(&proxy).await);
    assert_eq!(copy.entries[flag[0]]["_meta"][OFFICIAL]["isLatest"], false);
    assert_eq!(copy.entries[flag[0]]["_meta"][OFFICIAL]["updatedAt"], old, "the registry's own date is not touched");
    proxy.stop().await;
}
