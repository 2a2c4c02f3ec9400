//! Lists that mislead whoever walks through them (U19, U29 to U37, U50), and counts that lie.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{AT_ONCE, Trial, WALKS, few, three_pages};
use crate::support::entry::{Entry, keys_of, list, numbered};
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::{check, eventually};

const ALL: [&str; 3] = ["com.faulty/server-0000@1.0.0", "com.faulty/server-0001@1.0.0", "com.faulty/server-0002@1.0.0"];

/// Pages with a new entry each, and with the cursor that is made of their number.
fn pages(cursor: impl Fn(usize) -> String + Send + Sync + 'static) -> Behaviour {
    let count = AtomicUsize::new(0);
    Behaviour::depends(move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let entry = Entry::new(&format!("com.faulty/more-{number:06}"), "1.0.0");
        Behaviour::json(&list(&[entry], Some(&cursor(number))))
    })
}

async fn limited(limits: &str, entries: Vec<Entry>) -> Trial {
    let setup = Setup::new().settings(WALKS).settings(&format!("[limits]\n{limits}"));
    Trial::over(FakeRegistry::start(entries.clone()).await, entries, "", setup).await
}

#[tokio::test]
async fn u19_an_empty_list() {
    let trial = Trial::start(few(), "").await;
    for document in [json!([]), list(&[], None)] {
        trial.drops(Behaviour::json(&document), "format", "empty list, where there were servers").await;
    }
    trial.end().await;
}

#[tokio::test]
async fn u19_an_empty_list_that_only_walks_see() {
    let trial = Trial::start(few(), "").await;
    for document in [json!([]), list(&[], None)] {
        trial.faulty.when(Seen::begins_full_walk, Behaviour::json(&document));
        let is_noted = |status: &Value| status["lastError"]["message"].to_string().contains("lists nothing, where it");
        let status = trial.proxy.until("faulty", "the empty list was not believed", is_noted).await;
        assert_eq!((&status["state"], &status["usable"]), (&"healthy".into(), &true.into()), "{status}");
        trial.until_healthy().await;
        trial.faulty.behave();
        trial.proxy.until("faulty", "a walk ended well", |status| status["lastSync"]["ok"] == true).await;
        trial.until_healthy().await;
    }
    trial.end().await;
}

#[tokio::test]
async fn u29_a_cursor_that_comes_again() {
    let trial = Trial::start(three_pages(), "").await;
    let third = numbered("com.faulty", 240).split_off(200);
    for cursor in ["com.faulty/server-0199:1.0.0", "com.faulty/server-0099:1.0.0"] {
        trial.keeps(Behaviour::json(&list(&third, Some(cursor))), "cursor has been used before").await;
    }
    trial.end().await;
}

#[tokio::test]
async fn u30_cursors_in_a_circle() {
    let trial = Trial::start(three_pages(), "").await;
    for length in [2, 50] {
        trial.keeps(pages(move |number| format!("circle-{}", number % length)), "cursor has been used before").await;
    }
    trial.end().await;
}

#[tokio::test]
async fn u31_the_same_page_again_and_again() {
    let trial = Trial::start(three_pages(), "").await;
    let second = numbered("com.faulty", 200).split_off(100);
    let count = AtomicUsize::new(0);
    let again = Behaviour::depends(move |_| {
        Behaviour::json(&list(&second, Some(&format!("next-{}", count.fetch_add(1, Ordering::SeqCst)))))
    });
    trial.keeps(again, "nothing that earlier pages did not").await;
    trial.keeps(Behaviour::json(&list(&[], Some("next"))), "nothing that earlier pages did not").await;
    trial.end().await;
}

async fn ends_at(limit: &str, reason: &str) {
    let trial = limited(limit, three_pages()).await;
    trial.keeps(pages(|number| format!("more-{number}")), reason).await;
    trial.end().await;
}

#[tokio::test]
async fn u32_pages_without_end() {
    ends_at("max_pages = 20", "more than 20 pages").await;
}

#[tokio::test]
async fn u32_versions_without_end() {
    ends_at("max_listing_versions = 270", "more than 270 versions").await;
}

#[tokio::test]
async fn u32_a_walk_without_end() {
    ends_at("walk_timeout = \"1s\"", "`limits.walk_timeout`").await;
}

/// With the bound that there is by default.
#[tokio::test]
#[ignore = "20,000 pages take a minute"]
async fn u32_pages_without_end_full() {
    let faulty = FakeRegistry::start(few()).await;
    faulty.when(Seen::is_page, pages(|number| format!("more-{number}")));
    let proxy = Setup::new().registry("faulty", &faulty.url()).start().await;
    let started = std::time::Instant::now();
    let error = loop {
        let status = proxy.registry("faulty").await;
        if status["lastSync"]["ok"] == false {
            break status["lastSync"]["error"].to_string();
        }
        assert!(started.elapsed() < std::time::Duration::from_mins(10), "{status}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert!(error.contains("more than 20000 pages"), "{error}");
    proxy.stop().await;
}

#[tokio::test]
async fn u33_a_cursor_too_long_for_a_url() {
    let trial = Trial::start(three_pages(), "").await;
    let third = numbered("com.faulty", 240).split_off(200);
    let long = "x".repeat(1 << 20);
    trial.keeps(Behaviour::json(&list(&third, Some(&long))), "of 1048576 bytes").await;
    trial.end().await;
}

#[tokio::test]
async fn u33_a_cursor_of_odd_characters() {
    const ODD: &str = "ü&limit=1#x?\u{1}\r\n %00\u{1f600}+";
    let trial = Trial::start(three_pages(), "").await;
    let all = three_pages();
    let is_third = |seen: &Seen| seen.parameter("cursor").is_some_and(|cursor| cursor.contains("0199"));
    trial.faulty.when(is_third, Behaviour::json(&list(&all[200..220], Some(ODD))));
    let is_odd = |seen: &Seen| seen.parameter("cursor").as_deref() == Some(ODD);
    trial.faulty.when(is_odd, Behaviour::json(&list(&all[220..], None)));
    let has_four = |status: &Value| status["lastSync"]["ok"] == true && status["lastSync"]["pages"] == 4;
    trial.proxy.until("faulty", "the cursor was sent back as it came", has_four).await;
    trial.until_healthy().await;
    trial.faulty.behave();
    trial.end().await;
}

#[tokio::test]
async fn u34_last_pages_and_cursors_that_are_none() {
    let trial = Trial::start(few(), AT_ONCE).await;
    for metadata in [json!({}), json!({ "nextCursor": null }), json!({ "nextCursor": "" }), json!(null)] {
        let document = json!({ "servers": list(&few(), None)["servers"], "metadata": metadata });
        trial.takes(&document.to_string(), &ALL, 0).await;
        let status = trial.proxy.registry("faulty").await;
        assert_eq!(status["lastError"], Value::Null, "{metadata}: {status}");
    }
    let document = json!({ "servers": list(&few(), None)["servers"], "metadata": { "nextCursor": 7 } });
    trial.drops(Behaviour::json(&document), "format", "`metadata.nextCursor` that is a number").await;
    trial.end().await;
}

#[tokio::test]
async fn u35_a_page_that_fails_for_good() {
    let trial = Trial::start(three_pages(), "").await;
    trial.keeps(Behaviour::status(500), "status 500").await;
    trial.end().await;
}

#[tokio::test]
async fn u35_a_page_that_is_gone_or_no_list() {
    let trial = Trial::start(three_pages(), "").await;
    trial.keeps(Behaviour::status(404), "status 404").await;
    trial.keeps(Behaviour::Body("text/html", "<html></html>".into()), "an HTML page").await;
    trial.end().await;
}

#[tokio::test]
async fn u36_a_list_that_changes_during_the_walk() {
    let trial = Trial::start(three_pages(), "").await;
    let is_second = |seen: &Seen| seen.parameter("cursor").is_some_and(|cursor| cursor.contains("0099"));
    trial.faulty.next_when(1, is_second, Behaviour::Hold);
    trial.faulty.until_held().await;
    // Before and after the page that is on its way, something goes and something comes.
    let mut entries = three_pages();
    entries.retain(|entry| !["0001", "0150"].iter().any(|number| format!("{entry:?}").contains(number)));
    entries.insert(1, Entry::new("com.faulty/server-0000b", "1.0.0"));
    entries.insert(200, Entry::new("com.faulty/server-0199b", "1.0.0"));
    entries.sort_by_cached_key(|entry| keys_of(std::slice::from_ref(entry)));
    trial.list(entries);
    trial.faulty.release().await;
    trial.until_healthy().await;
    trial.end().await;
}

/// The one that comes later in the list counts, every time.
#[tokio::test]
async fn u37_one_version_twice_with_different_content() {
    let trial = Trial::start(few(), "").await;
    let [one, two] = ["One", "Two"].map(|title| Entry::new("com.faulty/twice", "1.0.0").server("title", title));
    for (order, expected) in [([&one, &two], "Two"), ([&two, &one], "One")] {
        let entries = [few(), order.map(Clone::clone).to_vec()].concat();
        trial.faulty.behave();
        trial.faulty.when(|seen| seen.parameter("updated_since").is_some(), Behaviour::Behave);
        trial.faulty.always(Behaviour::json(&list(&entries, None)));
        eventually("the later one was listed", async || {
            let reply = trial.proxy.get("/v0.1/servers/com.faulty%2Ftwice/versions/1.0.0").await;
            check(reply.status == 200 && reply.json()["server"]["title"] == expected, reply)
        })
        .await;
    }
    trial.faulty.behave();
    trial.end().await;
}

#[tokio::test]
async fn lying_counts() {
    let trial = Trial::start(few(), "").await;
    let servers = list(&few(), None)["servers"].clone();
    for count in [json!(1_000_000_000), json!(-1), json!(0), json!("many"), json!(null), json!(1e300)] {
        let metadata = json!({ "count": count, "total": count, "totalCount": count });
        trial.takes(&json!({ "servers": servers, "metadata": metadata }).to_string(), &ALL, 0).await;
    }
    trial.end().await;
}

#[tokio::test]
async fn u50_updated_since_ignored() {
    let setup = Setup::new().settings("[refresh]\ninterval = \"100ms\"\nfull_interval = \"300ms\"");
    let trial = Trial::over(FakeRegistry::start(few()).await, few(), "", setup).await;
    let is_increment = |seen: &Seen| seen.parameter("updated_since").is_some();
    trial.faulty.when(is_increment, Behaviour::json(&list(&few(), None)));
    trial.proxy.until("faulty", "it was found out", |status| status["updatedSince"] == "ignored").await;
    trial.until_healthy().await;
    trial.faulty.behave();
    trial.proxy.until("faulty", "it was believed again", |status| status["updatedSince"].is_null()).await;
    trial.end().await;
}
