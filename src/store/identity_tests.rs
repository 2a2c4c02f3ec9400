//! One secret per store, whatever stands in its place, and one id per secret and configuration.

use super::*;

fn registry(name: &str, url: &str) -> RegistryConfig {
    RegistryConfig { name: name.to_owned(), url: Some(url.into()), ..RegistryConfig::default() }
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[test]
fn a_secret_is_made_once_and_kept() {
    let directory = directory();
    let store = directory.path().join("state/catalog");
    let secret = Secret::load_from(&store).expect("a secret");
    assert_eq!(Secret::load_from(&store).expect("the same"), secret);
    let files: Vec<_> =
        fs::read_dir(&store).expect("a directory").map(|file| file.expect("a file").file_name()).collect();
    assert_eq!(files, [FILE], "nothing else is left behind");
}

#[test]
fn of_those_who_start_together_all_have_one_secret() {
    // Also where a crash has left an empty file.
    for is_empty in [false, true] {
        let directory = directory();
        if is_empty {
            fs::write(directory.path().join(FILE), "").expect("a writable directory");
        }
        let secrets: Vec<Secret> = std::thread::scope(|scope| {
            let load = || Secret::load_from(directory.path()).expect("a secret");
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(load)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert!(secrets.iter().all(|secret| *secret == secrets[0]));
    }
}

#[test]
fn who_only_looks_makes_nothing() {
    let directory = directory();
    let store = directory.path().join("catalog");
    let config = Config { path: Some(store.to_string_lossy().into_owned()), url: None, ..Config::default() };
    assert_eq!(Secret::find(&config), None);
    assert!(!store.exists());
    let secret = Secret::load(&config);
    assert_eq!(Secret::find(&config), Some(secret));
    fs::write(store.join(FILE), "something else").expect("a writable directory");
    assert_eq!(Secret::find(&config), None);
    assert_eq!(Secret::find(&Config { path: Some("off".to_owned()), url: None, ..Config::default() }), None);
}

#[test]
fn what_is_not_ours_is_left_as_it_is_and_named() {
    for content in ["\n", "hello\n", "AAAAAAAAAAAAAAAAAAAAA", &"A".repeat(10_000)] {
        let directory = directory();
        let path = directory.path().join(FILE);
        fs::write(&path, content).expect("a writable directory");
        let problem = Secret::load_from(directory.path()).expect_err("no secret").to_string();
        assert!(problem.contains(&*path.to_string_lossy()) && problem.contains("remove it"), "{problem}");
        assert_eq!(fs::read_to_string(&path).expect("the file"), content);
    }
}

#[test]
fn a_store_that_cannot_be_one_is_named() {
    let directory = directory();
    let file = directory.path().join("file");
    fs::write(&file, "").expect("a writable directory");
    let problem = Secret::load_from(&file.join("catalog")).expect_err("no secret").to_string();
    assert!(problem.contains("`store.path`"), "{problem}");
    fs::create_dir(directory.path().join(FILE)).expect("a writable directory");
    assert!(matches!(Secret::load_from(directory.path()), Err(Problem::Foreign { .. })));
}

#[test]
fn without_a_store_every_process_has_its_own() {
    let off = Config { path: Some("off".to_owned()), url: None, ..Config::default() };
    let redis = Config { path: None, url: Some("redis://redis.example".into()), ..Config::default() };
    for config in [off, redis] {
        assert_ne!(Secret::load(&config), Secret::load(&config));
    }
}

#[test]
fn the_id_follows_the_secret_and_the_registries() {
    let secret = Secret([7; SECRET_BYTES]);
    let (one, two) = (registry("one", "https://one.example"), registry("two", "https://two.example"));
    let id = secret.id(&[one.clone(), two.clone()]);
    assert_eq!(id.as_str().len(), ID_LENGTH);
    assert_eq!(id, secret.id(&[one.clone(), two.clone()]));
    assert_eq!(id, secret.id(&[two.clone(), registry("one", "https://ONE.example:443/")]), "spelled otherwise");
    let moved = registry("one", "https://one.example/v0");
    for others in [vec![], vec![one.clone()], vec![one.clone(), one.clone()], vec![moved, two.clone()]] {
        assert_ne!(id, secret.id(&others));
    }
    assert_ne!(id, Secret([8; SECRET_BYTES]).id(&[one, two]));
}
