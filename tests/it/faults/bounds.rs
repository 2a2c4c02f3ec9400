//! Answers that are too large, or that would be (U26 to U28).

use std::io::Write as _;

use super::{AT_ONCE, Trial, WALKS, few};
use crate::limits::{bombs, coded};
use crate::support::entry::{Entry, list};
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, End, FakeRegistry};

const ALL: [&str; 3] = ["com.faulty/server-0000@1.0.0", "com.faulty/server-0001@1.0.0", "com.faulty/server-0002@1.0.0"];

/// A list of what is there throughout and entries whose JSON has so many bytes.
fn with_entries_of(sizes: &[usize]) -> String {
    let large = sizes.iter().enumerate().map(|(number, size)| {
        let entry = |note: String| Entry::new(&format!("com.faulty/large-{number}"), "1.0.0").server("note", note);
        let rest = entry(String::new()).into_value().to_string().len();
        entry("x".repeat(size - rest))
    });
    list(&large.chain(few()).collect::<Vec<_>>(), None).to_string()
}

async fn limited(limits: &str) -> Trial {
    let setup = Setup::new().settings(WALKS).settings(&format!("[limits]\n{limits}"));
    Trial::over(FakeRegistry::start(few()).await, few(), AT_ONCE, setup).await
}

#[tokio::test]
async fn u26_an_entry_at_its_bound_and_beyond() {
    let trial = Trial::start(few(), "").await;
    let document = with_entries_of(&[(256 << 10) - 1, 256 << 10, (256 << 10) + 1]);
    let expected = [&["com.faulty/large-0@1.0.0", "com.faulty/large-1@1.0.0"], &ALL[..]].concat();
    let status = trial.takes(&document, &expected, 1).await;
    assert!(status["refused"]["entries"][0].to_string().contains("`limits.max_entry_size`"), "{status}");
    trial.end().await;
}

#[tokio::test]
async fn u26_an_entry_of_64_mib() {
    let document = with_entries_of(&[64 << 20]);
    let trial = Trial::start(few(), AT_ONCE).await;
    trial.drops(Behaviour::text(&document), "response", "more than 33554432 bytes").await;
    trial.end().await;
}

/// The same where so large an answer may come: it costs only that entry.
#[tokio::test]
async fn u26_an_entry_of_64_mib_in_an_answer_that_may_have_it() {
    let document = with_entries_of(&[64 << 20]);
    let trial = limited("max_response_size = \"128MiB\"").await;
    trial.takes(&document, &ALL, 1).await;
    trial.end().await;
}

#[tokio::test]
async fn u27_an_answer_at_its_bound_and_beyond() {
    let trial = limited("max_response_size = \"64KiB\"").await;
    let list = list(&few(), None).to_string();
    let of = |size: usize| format!("{list}{}", " ".repeat(size - list.len()));
    for size in [(64 << 10) - 1, 64 << 10] {
        trial.takes(&of(size), &ALL, 0).await;
    }
    trial.drops(Behaviour::text(&of((64 << 10) + 1)), "response", "`limits.max_response_size`").await;
    trial.end().await;
}

/// What it costs in memory, `limits` measures, with the bound that there is by default.
#[tokio::test]
async fn u28_decompression_bombs() {
    let trial = limited("max_response_size = \"1MiB\"").await;
    for (coding, bomb) in bombs() {
        let fault = Behaviour::wire(coded(coding, &bomb), End::Close);
        trial.drops(fault, "response", "more than 1048576 bytes").await;
    }
    trial.end().await;
}

#[tokio::test]
async fn u28_codings_that_are_broken_stacked_or_unknown() {
    let list = list(&few(), None).to_string();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(list.as_bytes()).expect("memory");
    let gzip = gzip.finish().expect("memory");
    let zstd = zstd::bulk::compress(list.as_bytes(), 1).expect("memory");
    let trial = Trial::start(few(), AT_ONCE).await;
    for (coding, body, reason) in [
        ("gzip", &gzip[..gzip.len() - 4], "breaks off"),
        ("zstd", &zstd[..zstd.len() - 4], "breaks off"),
        ("br", &gzip[..], "br"),
        ("gzip", list.as_bytes(), "cannot be decompressed"),
        ("gzip, gzip", &gzip[..], "several content codings"),
        ("deflate", &gzip[..], "not offered"),
    ] {
        trial.drops(Behaviour::wire(coded(coding, body), End::Close), "response", reason).await;
    }
    trial.end().await;
}
