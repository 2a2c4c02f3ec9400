//! A registry under TLS, and the authorities whose certificates it may show.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Who signs certificates.
pub(crate) struct Authority {
    /// Its own certificate.
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, as a server shows it.
pub(crate) struct Shown(Arc<ServerConfig>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for a name, valid from the start of one year to that of another.
    pub(crate) fn issue(&self, name: &str, from: i32, to: i32) -> Shown {
        let (params, key) = parameters(name, from, to);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Shown::new(certificate.der().clone(), &key)
    }
}

/// A certificate that nobody but its owner has signed.
pub(crate) fn self_signed(name: &str) -> Shown {
    let (params, key) = parameters(name, 2000, 2100);
    Shown::new(params.self_signed(&key).expect("a certificate").der().clone(), &key)
}

fn parameters(name: &str, from: i32, to: i32) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
    (params, KeyPair::generate().expect("a key"))
}

impl Shown {
    /// What shows it, over HTTP/1.1 alone.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0))
    }

    /// The same certificate, shown by who offers HTTP/2 too.
    pub(crate) fn with_http2(self) -> Self {
        let mut config = Arc::unwrap_or_clone(self.0);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self(Arc::new(config))
    }

    fn new(certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("versions").with_no_client_auth();
        Self(Arc::new(builder.with_single_cert(vec![certificate], key).expect("they fit")))
    }
}

/// Runs until it is dropped.
pub(crate) struct TlsRegistry {
    address: SocketAddr,
    shown: Arc<Mutex<Arc<ServerConfig>>>,
    _task: JoinSet<()>,
}

impl TlsRegistry {
    /// Answers every request with the same bytes.
    pub(crate) async fn start(shown: Shown, answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shown = Arc::new(Mutex::new(shown.0));
        let current = Arc::clone(&shown);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let config = Arc::clone(&current.lock().unwrap_or_else(PoisonError::into_inner));
                connections.spawn(serve(stream, config, answer.clone()));
            }
        });
        Self { address, shown, _task: task }
    }

    /// Shows another certificate from now on.
    pub(crate) fn show(&self, shown: Shown) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = shown.0;
    }

    /// Its list endpoint, by its name.
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}/v0.1/servers", self.address.port())
    }
}

async fn serve(stream: TcpStream, config: Arc<ServerConfig>, answer: String) {
    // A client that refuses the certificate is what some tests are about.
    let Ok(mut stream) = TlsAcceptor::from(config).accept(stream).await else { return };
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
