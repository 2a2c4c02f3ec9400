//! Every committed input passes: those that the fuzzers start from, and those that once failed.

use std::path::{Path, PathBuf};

use super::*;

/// The inputs of a target.
fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let files = std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = files.map(|file| file.expect("a file").path());
    paths.map(|path| (path.clone(), std::fs::read(&path).expect("a file"))).collect()
}

#[expect(clippy::print_stdout, reason = "shown where the check fails")]
fn replay(target: &str, check: impl Fn(&[u8])) {
    let inputs = inputs(target);
    assert!(inputs.len() >= 5, "the inputs of {target} are gone");
    for (path, bytes) in inputs {
        println!("{}", path.display());
        check(&bytes);
    }
}

#[test]
fn whatever_registries_send() {
    replay("wire", wire);
}

#[test]
fn whatever_clients_send_as_a_cursor() {
    replay("cursor", cursor);
}

#[test]
fn whatever_clients_ask() {
    replay("query", query);
}

#[test]
fn whatever_administrators_write() {
    replay("config", config);
}

#[test]
fn whatever_stands_in_the_place_of_our_files() {
    replay("store", store);
}
