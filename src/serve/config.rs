//! `[server]`, `[admin]`, `[cache]` and `[read_through]` of the configuration.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytesize::ByteSize;
use figment::value::magic::RelativePathBuf;
use http::HeaderValue;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::tls::Tls;
use crate::registry::duration;

/// `[server]`: the public listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Where it listens: an IP address and a port.
    #[serde(deserialize_with = "socket_address")]
    pub listen: SocketAddr,
    /// The origins whose pages may read answers; `*` for all.
    pub cors_origins: Vec<String>,
    /// The certificate chain for TLS, in PEM.
    pub tls_certificate_file: Option<RelativePathBuf>,
    /// Its private key, in PEM.
    pub tls_key_file: Option<RelativePathBuf>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            cors_origins: vec!["*".to_owned()],
            tls_certificate_file: None,
            tls_key_file: None,
        }
    }
}

impl ServerConfig {
    /// The keys whose values make no sense, and why.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let bad_origins = self.cors_origins.iter().filter(|origin| !is_origin(origin));
        let mut problems: Vec<_> = bad_origins
            .map(|origin| ("cors_origins", format!("{origin:?} is not an origin; write \"*\" or https://host")))
            .collect();
        match (&self.tls_certificate_file, &self.tls_key_file) {
            (Some(_), None) => problems.push(("tls_key_file", "is missing beside `tls_certificate_file`".to_owned())),
            (None, Some(_)) => problems.push(("tls_certificate_file", "is missing beside `tls_key_file`".to_owned())),
            _ => problems.extend(self.tls().err()),
        }
        problems
    }

    /// Reads the certificate and its key, where they are configured.
    ///
    /// # Errors
    /// The key whose file cannot be used, and why.
    pub fn tls(&self) -> Result<Option<Tls>, (&'static str, String)> {
        let files = self.tls_certificate_file.as_ref().zip(self.tls_key_file.as_ref());
        files.map(|(certificate, key)| Tls::load(certificate.relative(), key.relative())).transpose()
    }

    /// Whether the listener speaks TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.tls_certificate_file.is_some()
    }
}

fn is_origin(text: &str) -> bool {
    text == "*"
        || HeaderValue::from_str(text).is_ok()
            && url::Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
}

/// `[admin]`: the listener for people who run the proxy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminConfig {
    /// Where it listens; `off` for nowhere; by default `127.0.0.1:9090`, or nowhere where that is taken.
    pub listen: Option<AdminListen>,
    /// A file with the token that requests must show.
    pub token_file: Option<RelativePathBuf>,
    /// Names that `Host` may have besides loopback ones.
    pub hosts: Vec<String>,
}

/// Where the admin listener is unless the configuration says otherwise.
const DEFAULT_ADMIN_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

/// Where the admin listener is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminListen {
    /// Nowhere.
    Off,
    /// At an address.
    At(SocketAddr),
}

impl AdminConfig {
    /// Where it listens.
    #[must_use]
    pub fn listen(&self) -> AdminListen {
        self.listen.unwrap_or(AdminListen::At(DEFAULT_ADMIN_ADDRESS))
    }

    /// The keys whose values make no sense, and why.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        match self.listen() {
            AdminListen::At(address) if !address.ip().is_loopback() && self.token_file.is_none() => {
                vec![("token_file", "is missing; a listener that is not on loopback needs a token".to_owned())]
            }
            _ => Vec::new(),
        }
    }
}

/// `[cache]`: rendered responses.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheConfig {
    /// How much memory they may take.
    #[serde(deserialize_with = "size")]
    pub max_size: ByteSize,
    /// How long clients may keep them.
    #[serde(deserialize_with = "duration::required")]
    pub max_age: Duration,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { max_size: ByteSize::mib(64), max_age: Duration::from_secs(30) }
    }
}

/// `[read_through]`: asking the registries for what the catalog does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadThroughConfig {
    /// Whether that happens.
    pub enabled: bool,
    /// How long "not there" is remembered.
    #[serde(deserialize_with = "duration::required")]
    pub negative_ttl: Duration,
}

impl Default for ReadThroughConfig {
    fn default() -> Self {
        Self { enabled: true, negative_ttl: Duration::from_secs(30) }
    }
}

/// The longest `negative_ttl`. What was published since is not asked for as long as "not there" is remembered.
const MAX_NEGATIVE_TTL: Duration = Duration::from_hours(1);

impl ReadThroughConfig {
    /// The keys whose values make no sense, and why.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let is_too_long = MAX_NEGATIVE_TTL < self.negative_ttl;
        is_too_long.then(|| ("negative_ttl", "must be at most 1h".to_owned())).into_iter().collect()
    }
}

fn parse_address<E: serde::de::Error>(text: &str) -> Result<SocketAddr, E> {
    text.parse().map_err(|_| {
        E::custom(format_args!("{text:?} is not an address; write an IP address and a port, such as 127.0.0.1:8080"))
    })
}

/// A size in bytes. For `#[serde(deserialize_with)]`.
///
/// # Errors
/// When the text is none; the message says what would be one.
pub fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format_args!("{text:?} is not a size; write 64MiB or 512KiB")))
}

fn socket_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    parse_address(&String::deserialize(deserializer)?)
}

impl<'de> Deserialize<'de> for AdminListen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "off" {
            return Ok(Self::Off);
        }
        parse_address(&text).map(Self::At).map_err(|error: D::Error| D::Error::custom(format_args!("{error}, or off")))
    }
}
