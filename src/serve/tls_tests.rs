use super::*;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tempfile::TempDir;

fn pair() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate")
}

fn write(directory: &TempDir, name: &str, content: &str) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, content).expect("a writable directory");
    path
}

fn load(certificate: &str, key: &str) -> Result<(TempDir, Tls), Fault> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (certificate, key) = (write(&directory, "chain.pem", certificate), write(&directory, "key.pem", key));
    Tls::load(certificate, key).map(|tls| (directory, tls))
}

#[test]
fn what_is_wrong_with_files_is_said_with_key_and_file() {
    let (one, other) = (pair(), pair());
    let (certificate, key) = (one.cert.pem(), one.signing_key.serialize_pem());
    let cut = &certificate[..certificate.len() / 2];
    for (files, key, parts) in [
        (["", &key], CERTIFICATE, &["chain.pem holds no PEM certificate"][..]),
        ([cut, &key], CERTIFICATE, &["chain.pem"]),
        ([&certificate, ""], KEY, &["key.pem cannot be used as PEM"]),
        ([&certificate, &certificate], KEY, &["key.pem cannot be used as PEM"]),
        ([&certificate, &other.signing_key.serialize_pem()], KEY, &["key.pem is not the key of", "chain.pem"]),
    ] {
        let (at, problem) = load(files[0], files[1]).map(|_| ()).expect_err("a fault");
        assert!(at == key && parts.iter().all(|part| problem.contains(part)), "{at} {problem}");
    }
    let (at, problem) = Tls::load("/nowhere/chain.pem".into(), "/nowhere/key.pem".into()).expect_err("a fault");
    assert!(at == CERTIFICATE && problem.starts_with("/nowhere/chain.pem cannot be read: "), "{at} {problem}");
}

#[tokio::test]
async fn only_a_whole_pair_replaces_the_one_in_use() {
    let (one, other) = (pair(), pair());
    let (directory, tls) = load(&one.cert.pem(), &one.signing_key.serialize_pem()).expect("a good pair");
    let first = tls.current.load_full();
    let is_first = || Arc::ptr_eq(&first, &tls.current.load());
    tls.look().await;
    assert!(is_first(), "nothing has changed");

    let chain = other.cert.pem();
    for half in ["", &chain[..100], &chain] {
        write(&directory, "chain.pem", half);
        tls.look().await;
        assert!(is_first(), "the key does not fit yet");
    }
    std::fs::remove_file(directory.path().join("key.pem")).expect("it is there");
    tls.look().await;
    assert!(is_first(), "the key is missing");
    write(&directory, "key.pem", &other.signing_key.serialize_pem());
    tls.look().await;
    assert!(!is_first(), "the pair is whole");
}

#[tokio::test]
async fn what_is_wrong_is_said_once_and_at_the_second_look() {
    let one = pair();
    let (directory, tls) = load(&one.cert.pem(), &one.signing_key.serialize_pem()).expect("a good pair");
    std::fs::remove_file(directory.path().join("key.pem")).expect("it is there");
    let seen = async || {
        let pair = tls.read().await;
        tls.compare(pair.as_ref().map(Pair::fingerprint).map_err(Clone::clone))
    };
    for _ in 0..2 {
        assert_eq!(seen().await, News::Changed);
        assert_eq!(seen().await, News::Confirmed, "the fault is no passing one");
        assert_eq!(seen().await, News::None);
        // Another fault is news.
        write(&directory, "key.pem", "nonsense");
    }
}
