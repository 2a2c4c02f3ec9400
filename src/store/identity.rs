//! Who we are to other proxies: an id that outlives the process and that replicas share, by which a proxy finds
//! that a registry mirrors it.
//!
//! The id comes of a random secret, kept in the store, and of the registries that are configured. So replicas
//! (the same store, the same registries) count as one, and two different proxies that happen to be started in one
//! directory do not take each other for themselves.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::crypto::ring::default_provider;
use secrecy::ExposeSecret;
use sha2::{Digest as _, Sha256};

use super::Config;
use crate::catalog::lineage::ProxyId;
use crate::registry::config::Config as RegistryConfig;

/// The file in the store's directory.
const FILE: &str = "proxy-id";
/// How many random bytes a secret has.
const SECRET_BYTES: usize = 16;
/// The most bytes that the file may have: a secret takes 22, and an editor may add line ends.
const MAX_FILE_BYTES: u64 = 64;
/// The length of an id in characters.
const ID_LENGTH: usize = 22;

/// What the id is made of, besides the registries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret([u8; SECRET_BYTES]);

/// Why there is no secret that lasts.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{} cannot be {action}: {error}; make `store.path` a directory that the proxy may write to", path.display())]
    Inaccessible { path: PathBuf, action: &'static str, error: io::Error },
    #[error("{} holds something else, and is left as it is; remove it, or name another directory in `store.path`", path.display())]
    Foreign { path: PathBuf },
}

impl Secret {
    /// The secret of the store, made if there is none yet. Where it cannot be kept, that is said once and it lasts
    /// as long as the process.
    #[must_use]
    pub fn load(config: &Config) -> Self {
        let Some(directory) = config.directory() else { return Self::random() };
        Self::load_from(directory).unwrap_or_else(|problem| {
            tracing::warn!(
                %problem,
                "the proxy's id cannot be kept: until it can, each start has another, and a loop through a replica stays unseen"
            );
            Self::random()
        })
    }

    /// The id of a proxy that lists these registries.
    ///
    /// # Panics
    /// Never: base64url has the characters that ids have.
    #[must_use]
    pub fn id(&self, registries: &[RegistryConfig]) -> ProxyId {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            // With its length, so that no two lists of parts read the same.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        };
        add(&self.0);
        for registry in registries {
            add(registry.name.as_bytes());
            add(registry.url.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default().as_bytes());
            // As it is written: replicas may have their configuration in different directories.
            let file = registry.file.as_ref().map(|file| file.original().as_os_str().as_encoded_bytes());
            add(file.unwrap_or_default());
        }
        let text = URL_SAFE_NO_PAD.encode(hash.finalize());
        ProxyId::new(&text[..ID_LENGTH]).expect("base64url has the characters that ids have")
    }

    fn random() -> Self {
        let mut bytes = [0; SECRET_BYTES];
        default_provider().secure_random.fill(&mut bytes).expect("the system has random numbers: TLS needs them too");
        Self(bytes)
    }

    fn load_from(directory: &Path) -> Result<Self, Problem> {
        let path = directory.join(FILE);
        match read(&path) {
            Err(Problem::Inaccessible { error, .. }) if error.kind() == ErrorKind::NotFound => {}
            other => return other,
        }
        let secret = Self::random();
        let made = fs::create_dir_all(directory).and_then(|()| create(&path, &secret));
        match made {
            Ok(()) => Ok(secret),
            // Another process was faster; its secret counts.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => read(&path),
            Err(error) => Err(Problem::Inaccessible { path, action: "written", error }),
        }
    }

    fn decode(text: &[u8]) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_ascii()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

fn read(path: &Path) -> Result<Secret, Problem> {
    let inaccessible = |error| Problem::Inaccessible { path: path.to_owned(), action: "read", error };
    let foreign = || Problem::Foreign { path: path.to_owned() };
    // Before it is opened: a pipe would keep us waiting.
    if !fs::metadata(path).map_err(inaccessible)?.is_file() {
        return Err(foreign());
    }
    let mut text = Vec::new();
    let file = File::open(path).map_err(inaccessible)?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text).map_err(inaccessible)?;
    Some(text)
        .filter(|text| text.len() as u64 <= MAX_FILE_BYTES)
        .and_then(|text| Secret::decode(&text))
        .ok_or_else(foreign)
}

/// Writes the secret whole or not at all, and never over a file that is there: of two processes that start at the
/// same time, one gets [`ErrorKind::AlreadyExists`].
fn create(path: &Path, secret: &Secret) -> io::Result<()> {
    let text = format!("{}\n", URL_SAFE_NO_PAD.encode(secret.0));
    let suffix = URL_SAFE_NO_PAD.encode(Secret::random().0);
    let temporary = path.with_file_name(format!(".{FILE}.{suffix}"));
    let linked = write_new(&temporary, &text).and_then(|()| fs::hard_link(&temporary, path));
    // Should it stay, it is in nobody's way.
    let _ = fs::remove_file(&temporary);
    match linked {
        // Not every file system has hard links. There, a crash within the next lines leaves an empty file.
        Err(error) if error.kind() != ErrorKind::AlreadyExists => write_new(path, &text),
        linked => linked,
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    // The id is for everyone; what it is made of is not, or it would show when a registry's URL has been guessed.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
