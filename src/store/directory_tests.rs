//! Files are replaced whole or not at all, and never where they could still be read.

use std::os::unix::fs::PermissionsExt as _;
use std::time::SystemTime;

use jiff::Timestamp;

use super::*;
use crate::catalog::effects::Effect;

fn store(path: &Path) -> Store {
    Store::of(&Config { path: Some(path.to_string_lossy().into_owned()), url: None, ..Config::default() })
        .expect("it is on disk")
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn effects(fingerprint: u64) -> Effects {
    Effects::new(Timestamp::UNIX_EPOCH, vec![Effect { fingerprint, at: Timestamp::UNIX_EPOCH }])
}

fn write(store: &Store, fingerprint: u64) -> Result<(), Problem> {
    store.begin()?.effects(&effects(fingerprint))
}

fn names(path: &Path) -> Vec<String> {
    let names = fs::read_dir(path).expect("a directory").map(|file| file.expect("a file").file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn what_was_written_is_read_and_nobody_else_may() {
    let directory = directory();
    let store = store(&directory.path().join("state/catalog"));
    assert!(store.read_effects().expect("nothing is wrong").is_none());
    for fingerprint in [1, 2] {
        write(&store, fingerprint).expect("it can be written");
        assert_eq!(store.read_effects().expect("it is whole"), Some(effects(fingerprint)));
    }
    let listings = directory.path().join("state/catalog/listings");
    assert_eq!(names(&listings), ["effects", "lock"]);
    let mode = fs::metadata(store.effects_path()).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let status = store.health().status();
    assert!(status.last_write.is_some() && !status.is_failing, "{status:?}");
}

#[test]
fn only_one_writes_and_the_next_one_can_when_it_ends() {
    let directory = directory();
    let (one, two) = (store(directory.path()), store(directory.path()));
    write(&one, 1).expect("it can be written");
    assert!(matches!(write(&two, 2), Err(Problem::Locked)));
    assert!(two.health().status().is_failing);
    assert_eq!(two.read_effects().expect("it may read"), Some(effects(1)));
    one.release();
    write(&two, 2).expect("it can be written");
    assert!(!two.health().status().is_failing);
    assert!(matches!(write(&one, 1), Err(Problem::Locked)));
}

#[test]
fn what_a_crash_left_behind_does_no_harm() {
    let directory = directory();
    let store = store(directory.path());
    write(&store, 1).expect("it can be written");
    let new = directory.path().join("listings/new");
    fs::write(&new, "half a file").expect("a writable directory");
    write(&store, 2).expect("it can be written");
    assert!(!new.exists());
}

#[test]
fn what_cannot_be_read_is_set_aside_and_what_another_release_may_read_is_never_lost() {
    let directory = directory();
    let listings = directory.path().join("listings");
    fs::create_dir(&listings).expect("a writable directory");
    let path = listings.join("effects");
    let contents = [
        &b"mcp-registry-proxy effects 9\nfrom the future"[..],
        b"garbage",
        b"",
        b"more garbage",
        b"mcp-registry-proxy effects 0\nfrom the past",
        b"mcp-registry-proxy effects 10\nfrom the far future",
    ];
    for (number, content) in contents.iter().enumerate() {
        fs::write(&path, content).expect("a writable directory");
        let modified = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number as u64 + 1);
        File::options().write(true).open(&path).and_then(|file| file.set_modified(modified)).expect("a file");
        // Each time a process that has seen nothing yet.
        let store = store(directory.path());
        assert!(store.read_effects().is_err());
        write(&store, 1).expect("it can be written");
    }
    let aside: Vec<_> = ["", "-2", "-3"].map(|end| fs::read(listings.join(format!("effects.unreadable{end}")))).into();
    let aside: Vec<_> = aside.into_iter().map(|content| content.expect("it is there")).collect();
    assert_eq!(aside, [contents[0], contents[5], contents[4]], "those of other releases, and no others");

    // There is room for no more: then nothing is written.
    fs::write(&path, contents[4]).expect("a writable directory");
    let store = store(directory.path());
    assert!(matches!(write(&store, 1), Err(Problem::NoRoom(3))));
    assert_eq!(fs::read(&path).expect("the file"), contents[4]);
    assert!(!listings.join("new").exists());
}

#[test]
fn what_somebody_else_put_in_our_place_is_looked_at_before_it_goes() {
    let directory = directory();
    let store = store(directory.path());
    write(&store, 1).expect("it can be written");
    fs::write(store.effects_path(), "something else").expect("a writable directory");
    write(&store, 2).expect("it can be written");
    let aside = directory.path().join("listings/effects.unreadable");
    assert_eq!(fs::read_to_string(aside).expect("it is there"), "something else");
}

#[test]
fn what_is_no_file_is_left_alone() {
    let directory = directory();
    let store = store(directory.path());
    drop(store.begin().expect("the lock"));
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, "mine").expect("a writable directory");
    std::os::unix::fs::symlink(&elsewhere, store.effects_path()).expect("a writable directory");
    assert!(matches!(store.read_effects(), Err(Problem::NotAFile)));
    assert!(matches!(write(&store, 1), Err(Problem::NotAFile)));
    assert_eq!(fs::read_to_string(&elsewhere).expect("the file"), "mine");
    fs::remove_file(store.effects_path()).expect("a link");
    fs::create_dir(store.effects_path()).expect("a writable directory");
    assert!(matches!(write(&store, 1), Err(Problem::NotAFile)));
}

#[test]
fn a_place_that_cannot_hold_a_store_is_named() {
    let directory = directory();
    let file = directory.path().join("file");
    fs::write(&file, "").expect("a writable directory");
    let dangling = directory.path().join("dangling");
    std::os::unix::fs::symlink(directory.path().join("nowhere/at/all"), &dangling).expect("a writable directory");
    for path in [&file, &dangling] {
        let store = store(path);
        assert!(store.read_effects().expect("there is nothing").is_none());
        let problem = write(&store, 1).expect_err("it cannot be written").to_string();
        assert!(problem.contains("`store.path`"), "{problem}");
    }
    // A link to a directory is as good as a directory.
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(directory.path(), &link).expect("a writable directory");
    write(&store(&link), 1).expect("it can be written");
}
