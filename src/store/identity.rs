//! Who we are to other proxies: an id that outlives the process and that replicas share, by which a proxy finds
//! that a registry mirrors it.
//!
//! The id comes of a random secret, kept in the store, and of the registries that are configured. So replicas
//! (the same store, the same registries) count as one, and two different proxies that happen to be started in one
//! directory do not take each other for themselves.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::crypto::ring::default_provider;
use secrecy::ExposeSecret;
use sha2::{Digest as _, Sha256};

use super::Config;
use crate::catalog::lineage::ProxyId;
use crate::files::private;
use crate::registry::config::Config as RegistryConfig;
use crate::registry::endpoint::parse_url;

/// The file in the store's directory.
const FILE: &str = "proxy-id";
/// How many random bytes a secret has.
const SECRET_BYTES: usize = 16;
/// The most bytes that the file may have: a secret takes 22, and an editor may add line ends.
const MAX_FILE_BYTES: u64 = 64;
/// The length of an id in characters.
const ID_LENGTH: usize = 22;

/// What the id is made of, besides the registries.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; SECRET_BYTES]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret([REDACTED])")
    }
}

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

    /// The secret of the store, if there is one. Nothing is made, and nothing said where it cannot be read.
    #[must_use]
    pub fn find(config: &Config) -> Option<Self> {
        read(&config.directory()?.join(FILE)).ok().flatten()
    }

    /// The id of a proxy that lists these registries, in whatever order and however their URLs are spelled.
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
        let mut registries: Vec<_> = registries.iter().map(parts).collect();
        registries.sort();
        registries.iter().flatten().for_each(|part| add(part));
        let text = URL_SAFE_NO_PAD.encode(hash.finalize());
        ProxyId::new(&text[..ID_LENGTH]).expect("base64url has the characters that ids have")
    }

    /// A new one.
    ///
    /// # Panics
    /// Where the system has no random numbers; TLS needs them too.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; SECRET_BYTES];
        default_provider().secure_random.fill(&mut bytes).expect("the system has random numbers: TLS needs them too");
        Self(bytes)
    }

    fn load_from(directory: &Path) -> Result<Self, Problem> {
        let path = directory.join(FILE);
        if let Some(secret) = read(&path)? {
            return Ok(secret);
        }
        let made = fs::create_dir_all(directory).and_then(|()| create(&path));
        made.map_err(|error| Problem::Inaccessible { path: path.clone(), action: "written", error })?;
        // Another process may have been faster; its secret counts.
        read(&path)?.ok_or(Problem::Foreign { path })
    }

    /// The secret as it is kept.
    pub(super) fn as_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads what [`Secret::as_text`] made.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        Self::decode(text.as_bytes())
    }

    fn decode(text: &[u8]) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_ascii()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

/// What tells a registry from the others: its name and where its list is.
fn parts(registry: &RegistryConfig) -> [Vec<u8>; 3] {
    let url = registry.url.as_ref().map(|url| normalised(url.expose_secret())).unwrap_or_default();
    // As it is written: replicas may have their configuration in different directories.
    let file = registry.file.as_ref().map(|file| file.original().as_os_str().as_encoded_bytes());
    [registry.name.clone().into_bytes(), url.into_bytes(), file.unwrap_or_default().to_vec()]
}

/// A URL as it is asked, without slashes at the end of its path, which make no difference to us.
fn normalised(text: &str) -> String {
    parse_url(text).map_or_else(
        |_| text.to_owned(),
        |mut url| {
            let path = url.path().trim_end_matches('/').to_owned();
            url.set_path(&path);
            url.into()
        },
    )
}

/// The secret in the file. A file that is empty holds none, as one that is not there: a crash may leave it so.
fn read(path: &Path) -> Result<Option<Secret>, Problem> {
    let inaccessible = |error| Problem::Inaccessible { path: path.to_owned(), action: "read", error };
    let foreign = || Problem::Foreign { path: path.to_owned() };
    // Before it is opened: a pipe would keep us waiting.
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(inaccessible(error)),
        Ok(found) if !found.is_file() => return Err(foreign()),
        Ok(found) if found.len() == 0 => return Ok(None),
        Ok(_) => {}
    }
    let mut text = Vec::new();
    let file = File::open(path).map_err(inaccessible)?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text).map_err(inaccessible)?;
    let text = Some(text).filter(|text| text.len() as u64 <= MAX_FILE_BYTES).ok_or_else(foreign)?;
    Secret::decode(&text).map(Some).ok_or_else(foreign)
}

/// Writes a new secret, for nobody else to read (it would show when a registry's URL has been guessed), whole or not
/// at all, and never over one that is there: of processes that start at the same
/// time, one writes, and the others find what it wrote.
fn create(path: &Path) -> io::Result<()> {
    let text = format!("{}\n", URL_SAFE_NO_PAD.encode(Secret::random().0));
    let suffix = URL_SAFE_NO_PAD.encode(Secret::random().0);
    let temporary = path.with_file_name(format!(".{FILE}.{suffix}"));
    let linked =
        write(private().create_new(true).open(&temporary), &text).and_then(|()| fs::hard_link(&temporary, path));
    // Should it stay, it is in nobody's way.
    let _ = fs::remove_file(&temporary);
    // There is one, perhaps an empty one; or the file system has no hard links. A crash within the next lines
    // leaves an empty file.
    linked.or_else(|_| fill(path, &text))
}

/// Writes into a file that is empty or not there, in one piece and one process at a time.
fn fill(path: &Path, text: &str) -> io::Result<()> {
    let file = private().create(true).truncate(false).open(path)?;
    // Where there are no locks, processes that start at the same moment may differ until they start again.
    let _ = file.lock();
    if file.metadata()?.len() == 0 { write(Ok(file), text) } else { Ok(()) }
}

fn write(file: io::Result<File>, text: &str) -> io::Result<()> {
    let mut file = file?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
