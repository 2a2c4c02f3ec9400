//! Certificates, and connections under TLS to who shows them.

use std::io::Result;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::generate_simple_self_signed;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The keys of the configuration that name the files of [`Certificate::write`].
pub(crate) const SETTINGS: &str = "[server]\ntls_certificate_file = \"chain.pem\"\ntls_key_file = \"key.pem\"";

/// A certificate for `localhost` that nobody has signed.
pub(crate) struct Certificate {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        let certified = generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        Self { chain: certified.cert.pem(), key: certified.signing_key.serialize_pem() }
    }

    /// Writes both files into a directory.
    pub(crate) fn write(&self, directory: &Path) {
        std::fs::write(directory.join("chain.pem"), &self.chain).expect("a writable directory");
        std::fs::write(directory.join("key.pem"), &self.key).expect("a writable directory");
    }

    /// Connects to who must show this certificate, and offers these protocols.
    pub(crate) async fn connect(&self, address: SocketAddr, protocols: &[&str]) -> Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.chain.as_bytes()).expect("PEM")).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = builder.expect("versions").with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}
