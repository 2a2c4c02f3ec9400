//! What can go wrong with one request to a registry, by kind. Texts name the cause; they never hold
//! credentials, URLs with queries, or what the registry wrote.

use std::error::Error;
use std::time::Duration;

use super::wire::FormatError;

/// The three stages of Test Connection, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Name resolution, connection, TLS; for a file: it can be opened.
    Network,
    /// An answer with a good status, in time; for a file: it can be read.
    Response,
    /// The answer is a registry's list.
    Format,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Self; 3] = [Self::Network, Self::Response, Self::Format];

    /// The stage's name, as it is printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Response => "response",
            Self::Format => "format",
        }
    }
}

/// A request that did not bring a registry's page.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// A secret that the request needs could not be read.
    #[error("{0}")]
    Secret(String),
    /// No connection: DNS, TCP or TLS.
    #[error("no connection: {0}")]
    Connect(String),
    /// A file registry's file cannot be opened or read.
    #[error("{0}")]
    File(String),
    /// The answer took too long.
    #[error("no complete answer within {}", seconds(.0))]
    Timeout(Duration),
    /// Nothing was asked: a page is under way, for longer than a test may take.
    #[error("not asked: a page has been under way for {}", seconds(.0))]
    Busy(Duration),
    /// Nothing was asked: the rate that the registry allows left no room for it.
    #[error("not asked: `max_rate` left no room for it in time")]
    NoRoom,
    /// Nothing was asked: all replicas together have looked names up here as often as they may.
    #[error("not asked: the replicas of this proxy have looked up as many names there as they may in a minute")]
    Spent,
    /// Another replica has asked, and had no answer.
    #[error("{0} (as another replica found)")]
    Elsewhere(String),
    /// Nothing was asked: this process, or the system, has no file descriptor left to ask with.
    #[error("not asked: no file descriptor is left here (`ulimit -n`)")]
    NoDescriptor,
    /// The exchange broke off.
    #[error("the connection broke off: {0}")]
    Interrupted(String),
    /// An answer with a status that is not 200.
    #[error("answered with status {status}{}", advice(*.status))]
    Status {
        /// The status.
        status: u16,
        /// What its `Retry-After` said, unclamped.
        retry_after: Option<Duration>,
    },
    /// An answer that names us among the proxies behind it.
    #[error(
        "loop: its answers carry this proxy's own id, so it lists what we serve; take it out of our configuration, or us out of its"
    )]
    Loop,
    /// A page of a list that is only a part yet.
    #[error("its list is a part yet: it is a proxy that has not asked all of its own registries")]
    Partial,
    /// A redirect that we do not follow.
    #[error("redirected {0}")]
    Redirect(String),
    /// A body over the limit.
    #[error("answered with more than {0} bytes (`limits.max_response_size`)")]
    TooLarge(usize),
    /// A body that is over the limit before it is decompressed.
    #[error("answered with more than {0} bytes of compressed data (`limits.max_compressed_size`)")]
    TooLargeCompressed(usize),
    /// A body whose content coding cannot be undone.
    #[error("answered with {0}")]
    Coding(String),
    /// A body that is no registry's list.
    #[error(transparent)]
    Format(#[from] FormatError),
}

impl FetchError {
    /// The stage of Test Connection that this error fails.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::Secret(_) | Self::Connect(_) | Self::File(_) => Stage::Network,
            Self::Timeout(_)
            | Self::Busy(_)
            | Self::NoRoom
            | Self::Spent
            | Self::Elsewhere(_)
            | Self::NoDescriptor
            | Self::Interrupted(_)
            | Self::Partial
            | Self::Status { .. }
            | Self::Loop
            | Self::Redirect(_)
            | Self::TooLarge(_)
            | Self::TooLargeCompressed(_)
            | Self::Coding(_) => Stage::Response,
            Self::Format(_) => Stage::Format,
        }
    }

    /// Whether this says nothing about the registry's health: it asked us to slow down, or was not asked.
    #[must_use]
    pub fn tells_nothing(&self) -> bool {
        matches!(self, Self::Status { status: 429, .. } | Self::NoRoom | Self::Spent | Self::NoDescriptor)
    }

    /// Whether the registry was not asked at all.
    #[must_use]
    pub fn was_not_asked(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::NoRoom | Self::Spent | Self::NoDescriptor)
    }

    /// Whether there is nothing at the URL.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status: 404 | 410, .. })
    }

    /// Whether the registry answered 4xx for what we asked, not for when or how often.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        matches!(self, Self::Status { status, .. } if (400..500).contains(status) && !matches!(status, 408 | 425 | 429))
    }
}

fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 => "; check its bearer_token and headers",
        404 => " (not found)",
        429 => " (too many requests)",
        _ => "",
    }
}

/// A duration as messages have it.
pub(super) fn seconds(duration: &Duration) -> String {
    format!("{} s", (duration.as_secs_f64() * 10.0).round() / 10.0)
}

/// The innermost cause of an error: the sentence of the operating system or of TLS.
pub(super) fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// What TLS found wrong, if it was that, and what to do where that is not obvious.
pub(super) fn tls_problem(error: &(dyn Error + 'static)) -> Option<String> {
    Some(match causes(error).find_map(as_tls)? {
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            "its certificate is of an unknown authority; if that is right, add the authority to `network.ca_file`"
                .to_owned()
        }
        found @ rustls::Error::InvalidMessage(_) => {
            format!("it does not speak TLS there; check the scheme and the port of its `url` ({found})")
        }
        found => found.to_string(),
    })
}

/// An error of TLS, or an I/O error that was made of one, perhaps of several layers: what it was made of is not among
/// its causes.
fn as_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref().or_else(|| as_tls(error.downcast_ref::<std::io::Error>()?.get_ref()?))
}

/// Whether an error comes from the want of file descriptors, which is no fault of whoever was asked.
pub(super) fn is_want_of_descriptors(error: &(dyn Error + 'static)) -> bool {
    /// The process has no more, and the system has no more.
    const CODES: [i32; 2] = [24, 23];
    let mut codes = causes(error).filter_map(|cause| cause.downcast_ref::<std::io::Error>()?.raw_os_error());
    codes.any(|code| CODES.contains(&code))
}

/// An error, what caused it, what caused that, and so on.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no connection")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn the_want_of_descriptors_is_no_verdict_on_a_registry() {
        for (code, expected) in [(24, true), (23, true), (111, false)] {
            let error = Outer(std::io::Error::from_raw_os_error(code));
            assert_eq!(is_want_of_descriptors(&error), expected, "{error:?}");
        }
        assert!(FetchError::NoDescriptor.tells_nothing() && FetchError::NoDescriptor.was_not_asked());
    }
}
