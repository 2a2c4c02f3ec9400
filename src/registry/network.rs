//! The way out, which all registries share: trust, proxy, and what every connection has in common.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;

use secrecy::ExposeSecret;

use super::config::NetworkConfig;

/// How long connecting may take, whatever the request's own deadline.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const USER_AGENT: &str = concat!("mcp-registry-proxy/", env!("CARGO_PKG_VERSION"));

/// What all registries' clients share: trust and the way out.
#[derive(Clone, Debug)]
pub struct Network {
    tls: ClientConfig,
    /// The authorities of `ca_file`.
    authorities: Vec<CertificateDer<'static>>,
    proxy: ProxyChoice,
}

#[derive(Clone)]
enum ProxyChoice {
    FromEnvironment,
    Off,
    Url(Box<reqwest::Proxy>),
}

impl fmt::Debug for ProxyChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its URL may hold a password, which its own form would show.
        formatter.write_str(match self {
            Self::FromEnvironment => "FromEnvironment",
            Self::Off => "Off",
            Self::Url(_) => "Url([REDACTED])",
        })
    }
}

impl Network {
    /// Prepares TLS and the proxy.
    ///
    /// # Errors
    /// The key of `[network]` that is wrong, and why.
    pub fn new(config: &NetworkConfig) -> Result<Self, (&'static str, String)> {
        let proxy = match config.proxy.as_ref().map(ExposeSecret::expose_secret) {
            None => ProxyChoice::FromEnvironment,
            Some("off") => ProxyChoice::Off,
            Some(url) => {
                let problem = "is not a proxy URL; write http://host:port, or `off`";
                let proxy = reqwest::Proxy::all(url).map_err(|_| ("proxy", problem.to_owned()))?;
                ProxyChoice::Url(Box::new(proxy))
            }
        };
        let of_file = |problem: String| ("ca_file", problem);
        let read = config.ca_file.as_ref().map(|file| read_authorities(&file.relative()));
        let authorities = read.transpose().map_err(of_file)?.unwrap_or_default();
        Ok(Self { tls: tls(&authorities).map_err(of_file)?, authorities, proxy })
    }

    /// Whether both trust the same authorities besides the platform's.
    #[must_use]
    pub fn trusts_the_same_as(&self, other: &Self) -> bool {
        self.authorities == other.authorities
    }

    /// The client by which traces reach their collector: the same trust, and the same way out.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn client_of_collector(&self) -> Result<reqwest::Client, reqwest::Error> {
        self.builder().build()
    }

    pub(super) fn builder(&self) -> reqwest::ClientBuilder {
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .redirect(Policy::none())
            .referer(false)
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_keepalive(Duration::from_secs(30))
            .pool_idle_timeout(Duration::from_mins(1));
        match &self.proxy {
            ProxyChoice::FromEnvironment => builder,
            ProxyChoice::Off => builder.no_proxy(),
            ProxyChoice::Url(proxy) => builder.no_proxy().proxy((**proxy).clone()),
        }
    }
}

/// TLS that trusts the platform's authorities, Mozilla's where the platform has none (a container
/// without certificates), and those of `ca_file`.
fn tls(extra: &[CertificateDer<'static>]) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = platform_verifier(extra, &provider).map_err(|error| format!("cannot be used: {error}"))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot be used: {error}"))?;
    let mut tls = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

fn read_authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| format!("{} cannot be read as PEM certificates: {error}", path.display()))?;
    if found.is_empty() {
        return Err(format!("{} holds no PEM certificate", path.display()));
    }
    Ok(found)
}

fn platform_verifier(
    extra: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Verifier, rustls::Error> {
    let platform = if extra.is_empty() {
        Verifier::new(Arc::clone(provider))
    } else {
        Verifier::new_with_extra_roots(extra.iter().cloned(), Arc::clone(provider))
    };
    platform.or_else(|_| {
        let mozilla = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned();
        Verifier::new_with_extra_roots(mozilla.chain(extra.iter().cloned()), Arc::clone(provider))
    })
}
