//! What may be wrong with the store: files that cannot be read, places that cannot be written, another process. Each
//! time the log says so, the proxy runs on, and nothing is overwritten that could still be read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use http::Method;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::binary::{Serving, Workplace};
use crate::support::entry::{Entry, keys, keys_of, numbered};
use crate::support::http::send;
use crate::support::proxy::walk;
use crate::support::registry::{Behaviour, FakeRegistry};
use crate::support::{check, eventually};

/// A working directory whose store is somewhere, and a registry for each name.
fn workplace(store: &Path, names: &[&str], fake: &FakeRegistry) -> Workplace {
    let registry = |name: &&str| format!("[[registries]]\nname = {name:?}\nurl = {:?}\n", fake.url());
    let registries: String = names.iter().map(registry).collect();
    let configuration = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[network]\nproxy = \"off\"\n[log]\nformat = \"json\"\n\
         [refresh]\ninterval = \"100ms\"\nfull_interval = \"100ms\"\nmax_rate = 1000\n\
         [store]\npath = '{}'\n{registries}",
        store.display()
    );
    let workplace = Workplace::new();
    workplace.write("proxy.toml", configuration);
    workplace
}

async fn serve(workplace: &Workplace) -> Serving {
    workplace.serve(&["--config", "proxy.toml"]).await
}

async fn stop(mut serving: Serving) {
    serving.signal("TERM");
    assert_eq!(serving.exit_code().await, Some(0));
}

async fn until_listed(serving: &Serving, entries: &[Entry]) {
    eventually("it listed what it should", async || {
        let ready = send(serving.address, Method::GET, "/readyz").await;
        check(ready.status == 200, ready.text())?;
        let listed = keys(&walk(serving.address, "", 100).await);
        check(listed == keys_of(entries), listed)
    })
    .await;
}

fn file(store: &Path, name: &str) -> PathBuf {
    store.join("listings").join(name)
}

async fn until_file(path: &Path) {
    eventually("the file was there", async || check(path.exists(), path)).await;
}

/// Runs a proxy until it has listed this, and ends it well: then all is kept.
async fn keep(workplace: &Workplace, entries: &[Entry]) {
    let serving = serve(workplace).await;
    until_listed(&serving, entries).await;
    stop(serving).await;
}

/// Starts a proxy whose registry does not answer, and makes sure that it lists this.
async fn assert_kept(workplace: &Workplace, fake: &FakeRegistry, entries: &[Entry]) {
    fake.always(Behaviour::Hold);
    let serving = serve(workplace).await;
    until_listed(&serving, entries).await;
    drop(serving);
    fake.behave();
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn text_of(line: &str, field: &str) -> String {
    let line: Value = serde_json::from_str(line).expect("a line of JSON");
    line[field].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn files_that_cannot_be_read_are_named_and_set_aside() {
    let (directory, entries) = (directory(), numbered("com.example", 3));
    let fake = FakeRegistry::start(entries.clone()).await;
    let names = ["truncated", "flipped", "newer", "foreign", "empty"];
    let workplace = workplace(directory.path(), &names, &fake);
    keep(&workplace, &entries).await;
    let path = |name: &str| file(directory.path(), &format!("{name}.listing"));
    let mut damaged = Vec::new();
    for name in names {
        let mut content = fs::read(path(name)).expect("it was kept");
        let middle = content.len() / 2;
        match name {
            "truncated" => content.truncate(middle),
            "flipped" => content[middle] ^= 0x10,
            "newer" => content = b"mcp-registry-proxy listing 3\nanything".to_vec(),
            "foreign" => content = b"#!/bin/sh\n".to_vec(),
            _ => content.clear(),
        }
        fs::write(path(name), &content).expect("a writable directory");
        damaged.push(content);
    }
    let serving = serve(&workplace).await;
    let reasons =
        ["checksum is wrong", "checksum is wrong", "format version 3", "not a file of this", "not a file of this"];
    for (name, reason) in names.iter().zip(reasons) {
        let line = serving.until_logged(&format!("{name}.listing")).await;
        assert!(text_of(&line, "level") == "WARN" && text_of(&line, "reason").contains(reason), "{line}");
    }
    until_listed(&serving, &entries).await;
    for (name, content) in names.iter().zip(&damaged) {
        let aside = file(directory.path(), &format!("{name}.listing.unreadable"));
        until_file(&aside).await;
        assert_eq!(fs::read(aside).expect("it is there"), *content, "{name}");
    }
    stop(serving).await;
    assert_kept(&workplace, &fake, &entries).await;
}

#[tokio::test]
async fn without_knowledge_of_its_clients_everything_counts_as_changed() {
    let (directory, entries) = (directory(), numbered("com.example", 3));
    let fake = FakeRegistry::start(entries.clone()).await;
    let workplace = workplace(directory.path(), &["alpha"], &fake);
    keep(&workplace, &entries).await;
    let changed =
        async |serving: &Serving| walk(serving.address, "updated_since=2026-06-01T00:00:00Z", 100).await.len();
    fake.always(Behaviour::Hold);
    let serving = serve(&workplace).await;
    until_listed(&serving, &entries).await;
    assert_eq!(changed(&serving).await, 0);
    drop(serving);
    let effects = file(directory.path(), "effects");
    fs::write(&effects, "nonsense").expect("a writable directory");
    let serving = serve(&workplace).await;
    serving.until_logged("everything has changed now").await;
    until_listed(&serving, &entries).await;
    assert_eq!(changed(&serving).await, 3);
    until_file(&file(directory.path(), "effects.unreadable")).await;
    drop(serving);
    fake.behave();
}

#[tokio::test]
async fn a_store_that_is_a_file_costs_a_line_in_the_log() {
    let (directory, entries) = (directory(), numbered("com.example", 3));
    let fake = FakeRegistry::start(entries.clone()).await;
    let path = directory.path().join("file");
    fs::write(&path, "mine").expect("a writable directory");
    let serving = serve(&workplace(&path, &["alpha", "beta"], &fake)).await;
    until_listed(&serving, &entries).await;
    let line = serving.until_logged("the store cannot be written").await;
    assert!(text_of(&line, "reason").contains("`store.path` must be a directory"), "{line}");
    fake.set_entries(numbered("com.example", 5));
    until_listed(&serving, &numbered("com.example", 5)).await;
    assert_eq!(serving.log_with("the store cannot be written").len(), 1);
    stop(serving).await;
    assert_eq!(fs::read_to_string(path).expect("the file"), "mine");
}

#[tokio::test]
async fn of_two_processes_one_writes_and_the_other_takes_over_when_it_ends() {
    let (directory, entries) = (directory(), numbered("com.example", 3));
    let fake = FakeRegistry::start(entries.clone()).await;
    let workplace = workplace(directory.path(), &["alpha"], &fake);
    let first = serve(&workplace).await;
    until_listed(&first, &entries).await;
    until_file(&file(directory.path(), "alpha.listing")).await;
    let second = serve(&workplace).await;
    until_listed(&second, &entries).await;
    assert_eq!(second.log_with("restored the stored listing").len(), 1);
    second.until_logged("another process writes to this store").await;
    drop(first);
    let more = numbered("com.example", 5);
    fake.set_entries(more.clone());
    until_listed(&second, &more).await;
    stop(second).await;
    assert_kept(&workplace, &fake, &more).await;
}

/// A small file system of its own.
struct Disk(TempDir);

impl Disk {
    /// None where mounting is not permitted: then the test says so, and tests nothing.
    fn mount() -> Option<Self> {
        let directory = directory();
        let disk = Self(directory);
        disk.run("mount", &["-t", "tmpfs", "-o", "size=256k", "none"]).then_some(disk)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let status = Command::new(program).args(arguments).arg(self.0.path()).status();
        let is_done = status.is_ok_and(|status| status.success());
        if !is_done {
            skipped(&format!("`{program} {}` is not permitted here", arguments.join(" ")));
        }
        is_done
    }

    fn store(&self) -> PathBuf {
        self.0.path().join("store")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l".as_ref(), self.0.path().as_os_str()]).status();
    }
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests has to see what was not tested")]
fn skipped(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}

#[tokio::test]
async fn a_full_disk_leaves_what_was_kept_and_is_told_once() {
    let Some(disk) = Disk::mount() else { return };
    let entries = numbered("com.example", 3);
    let fake = FakeRegistry::start(entries.clone()).await;
    let workplace = workplace(&disk.store(), &["alpha"], &fake);
    keep(&workplace, &entries).await;
    let noise = || (0..3000).map(|_| fastrand::alphanumeric()).collect::<String>();
    let large: Vec<Entry> = numbered("com.large", 200).into_iter().map(|entry| entry.server("note", noise())).collect();
    fake.set_entries(large.clone());
    let serving = serve(&workplace).await;
    until_listed(&serving, &large).await;
    let line = serving.until_logged("the store cannot be written").await;
    assert!(text_of(&line, "reason").contains("make room on the disk"), "{line}");
    assert!(text_of(&line, "path").contains("alpha.listing"), "{line}");
    // The feed of changes is written next, and may be in the making.
    let unfinished = file(&disk.store(), "new");
    eventually("what could not be finished was gone", async || check(!unfinished.exists(), &unfinished)).await;
    drop(serving);
    assert_kept(&workplace, &fake, &entries).await;

    let serving = serve(&workplace).await;
    until_listed(&serving, &large).await;
    serving.until_logged("the store cannot be written").await;
    let fewer = numbered("com.small", 4);
    fake.set_entries(fewer.clone());
    until_listed(&serving, &fewer).await;
    serving.signal("TERM");
    serving.until_logged("the store can be written again").await;
    drop(serving);
    assert_kept(&workplace, &fake, &fewer).await;
}

#[tokio::test]
async fn a_disk_that_became_read_only_is_read() {
    let Some(disk) = Disk::mount() else { return };
    let entries = numbered("com.example", 3);
    let fake = FakeRegistry::start(entries.clone()).await;
    let workplace = workplace(&disk.store(), &["alpha"], &fake);
    keep(&workplace, &entries).await;
    if !disk.run("mount", &["-o", "remount,ro"]) {
        return;
    }
    let before = fs::read(file(&disk.store(), "alpha.listing")).expect("it was kept");
    let more = numbered("com.example", 5);
    fake.set_entries(more.clone());
    let serving = serve(&workplace).await;
    assert_eq!(serving.log_with("restored the stored listing").len(), 1);
    until_listed(&serving, &more).await;
    let line = serving.until_logged("the store cannot be written").await;
    assert!(text_of(&line, "reason").contains("Read-only file system"), "{line}");
    assert_eq!(fs::read(file(&disk.store(), "alpha.listing")).expect("it is there"), before);
    assert!(disk.run("mount", &["-o", "remount,rw"]));
    stop(serving).await;
    assert_kept(&workplace, &fake, &more).await;
}

#[tokio::test]
async fn a_directory_that_is_removed_is_made_and_locked_anew() {
    let directory = directory();
    let store = directory.path().join("state");
    let entries = numbered("com.example", 3);
    let fake = FakeRegistry::start(entries.clone()).await;
    let workplace = workplace(&store, &["alpha"], &fake);
    let serving = serve(&workplace).await;
    until_listed(&serving, &entries).await;
    until_file(&file(&store, "alpha.listing")).await;
    // The last one to be written.
    until_file(&file(&store, "changes")).await;
    fs::remove_dir_all(&store).expect("a directory");
    // A registry that comes later is written at once.
    let more = format!("{}[[registries]]\nname = \"beta\"\nurl = {:?}\n", workplace.read("proxy.toml"), fake.url());
    workplace.write("proxy.toml", more);
    until_file(&file(&store, "beta.listing")).await;
    until_file(&file(&store, "lock")).await;
    stop(serving).await;
    assert_kept(&workplace, &fake, &entries).await;
}
