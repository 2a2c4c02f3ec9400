//! The certificate that the public listener shows, and its renewal: files are read again when they change,
//! and only a pair that fits together replaces the one in use.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// HTTP/2 as it is called when protocols are negotiated.
pub(super) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// How often the files are looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The largest file: a chain of certificates is a few KiB.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What is wrong with the files: the key of `[server]` that names the file, and what to say of it.
type Fault = (&'static str, String);

/// Enough to see a change of the files without keeping the private key around.
type Fingerprint = [u8; 32];

/// The files, or why they could not be read, when they were last looked at.
type Seen = Result<Fingerprint, Fault>;

/// What the last look has seen, and whether that was for the first time.
#[derive(Debug)]
struct LastLook {
    files: Seen,
    was_first: bool,
}

/// How the files are, compared to the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// Other than they were.
    Changed,
    /// As they were when that was new.
    Confirmed,
    /// As they have been.
    None,
}

const CERTIFICATE: &str = "tls_certificate_file";
const KEY: &str = "tls_key_file";

/// TLS for the public listener.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<ServerConfig>,
    last: Mutex<LastLook>,
}

/// Both files' contents.
struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Tls {
    /// Reads a certificate chain and its private key, both PEM.
    ///
    /// # Errors
    /// The key of `[server]` whose file cannot be used, and why.
    pub fn load(certificate: PathBuf, key: PathBuf) -> Result<Self, (&'static str, String)> {
        let read = |name, path: &Path| read_blocking(path).map_err(|error| unreadable(name, path, &error));
        let pair = Pair { certificate: read(CERTIFICATE, &certificate)?, key: read(KEY, &key)? };
        let config = pair.config(&certificate, &key)?;
        let last = Mutex::new(LastLook { files: Ok(pair.fingerprint()), was_first: false });
        Ok(Self { certificate, key, current: ArcSwap::from_pointee(config), last })
    }

    /// What does the handshake of a new connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Takes over renewed files, for ever.
    pub async fn watch(self: Arc<Self>) {
        loop {
            sleep(POLL_INTERVAL).await;
            self.look().await;
        }
    }

    /// Looks at the files once. A whole pair is taken over at once. What is wrong with one is said once, and only when
    /// it is still so at the next look: renewals write one file after the other.
    async fn look(&self) {
        let pair = self.read().await;
        let news = self.compare(pair.as_ref().map(Pair::fingerprint).map_err(Clone::clone));
        if news == News::None {
            return;
        }
        match (pair.and_then(|pair| pair.config(&self.certificate, &self.key)), news) {
            (Ok(config), News::Changed) => {
                self.current.store(Arc::new(config));
                tracing::info!(file = %self.certificate.display(), "took over the renewed certificate");
            }
            (Err((key, problem)), News::Confirmed) => {
                tracing::warn!("`server.{key}` {problem}; the certificate in use stays");
            }
            _ => {}
        }
    }

    /// Compares the files to the last look, which is from now on this one.
    fn compare(&self, files: Seen) -> News {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let news = match (last.files == files, last.was_first) {
            (false, _) => News::Changed,
            (true, true) => News::Confirmed,
            (true, false) => News::None,
        };
        *last = LastLook { files, was_first: news == News::Changed };
        news
    }

    async fn read(&self) -> Result<Pair, Fault> {
        let certificate = read(&self.certificate).await;
        let certificate = certificate.map_err(|error| unreadable(CERTIFICATE, &self.certificate, &error))?;
        let key = read(&self.key).await.map_err(|error| unreadable(KEY, &self.key, &error))?;
        Ok(Pair { certificate, key })
    }
}

impl Pair {
    fn fingerprint(&self) -> Fingerprint {
        let digest = Sha256::new().chain_update(Sha256::digest(&self.certificate)).chain_update(&self.key);
        digest.finalize().into()
    }

    fn config(&self, certificate: &Path, key: &Path) -> Result<ServerConfig, Fault> {
        let chain = CertificateDer::pem_slice_iter(&self.certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| unusable(CERTIFICATE, certificate, &error))?;
        if chain.is_empty() {
            return Err((CERTIFICATE, format!("{} holds no PEM certificate", certificate.display())));
        }
        let private = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| unusable(KEY, key, &error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| (CERTIFICATE, format!("cannot be used: {error}")))?;
        let mut config =
            builder.with_no_client_auth().with_single_cert(chain, private).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    (KEY, format!("{} is not the key of {}", key.display(), certificate.display()))
                }
                error => (CERTIFICATE, format!("{} and its key cannot be used: {error}", certificate.display())),
            })?;
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        Ok(config)
    }
}

/// A file's content, up to the limit; what is longer is no PEM file and shows as one that is cut off.
async fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    tokio::fs::File::open(path).await?.take(MAX_FILE_BYTES).read_to_end(&mut content).await?;
    Ok(content)
}

/// The same before anything runs that could be held up.
fn read_blocking(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(std::fs::File::open(path)?, MAX_FILE_BYTES), &mut content)?;
    Ok(content)
}

fn unreadable(key: &'static str, path: &Path, error: &io::Error) -> Fault {
    (key, format!("{} cannot be read: {error}", path.display()))
}

fn unusable(key: &'static str, path: &Path, error: &rustls::pki_types::pem::Error) -> Fault {
    (key, format!("{} cannot be used as PEM: {error}", path.display()))
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
