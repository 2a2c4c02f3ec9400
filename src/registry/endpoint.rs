//! What a registry's URL stands for, and what of it the public may see.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::addresses::{self, Kind};

/// What the URL of the configuration stands for (contract §3).
#[derive(Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// The list endpoint itself.
    List(Url),
    /// A base URL; its list endpoint has to be found out. In the order in which they are tried.
    Candidates([Url; 2]),
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(url) => formatter.debug_tuple("List").field(&public_url(url)).finish(),
            Self::Candidates(urls) => {
                formatter.debug_tuple("Candidates").field(&urls.each_ref().map(public_url)).finish()
            }
        }
    }
}

impl Endpoint {
    /// The host of the URL, as the URL says it.
    pub(super) fn host(&self) -> &str {
        let (Self::List(url) | Self::Candidates([url, _])) = self;
        url.host_str().unwrap_or_default()
    }
}

/// Parses a registry's URL, whatever the contract lets it stand for.
///
/// # Errors
/// What is wrong with it. The text itself is not repeated: it may hold credentials.
pub fn parse_url(text: &str) -> Result<Url, String> {
    let mut url =
        Url::parse(text).map_err(|error| format!("is not a URL ({error}); write https://host/path or http://…"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("has the scheme `{}`; use https or http", url.scheme()));
    }
    url.set_fragment(None);
    literal(&url).and_then(addresses::problem).map_or(Ok(url), Err)
}

/// A path that ends in `/servers` or `.json` is the endpoint; one that ends in an API version gets
/// `/servers`; any other is a base URL.
#[must_use]
pub fn endpoint(url: &Url) -> Endpoint {
    let path = url.path().trim_end_matches('/').to_owned();
    let with_path = |path: String| {
        let mut url = url.clone();
        url.set_path(&path);
        url
    };
    if path.ends_with("/servers") || has_json_extension(&path) {
        Endpoint::List(with_path(path))
    } else if path.ends_with("/v0") || path.ends_with("/v0.1") {
        Endpoint::List(with_path(format!("{path}/servers")))
    } else {
        Endpoint::Candidates(["v0.1", "v0"].map(|version| with_path(format!("{path}/{version}/servers"))))
    }
}

fn has_json_extension(path: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// A URL as the public may see it: no user information, no query.
#[must_use]
pub fn public_url(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Both fail only for URLs that have no host, which `parse_url` does not let through.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

pub(super) fn has_userinfo(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        _ => literal(url).is_some_and(|address| addresses::kind(address) == Kind::Loopback),
    }
}

/// The address that a URL names in place of a host, however it is written.
fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn any_base_url_of_the_contract_leads_to_its_list() {
        for (text, list) in [
            ("https://x.example/v0.1/servers", "https://x.example/v0.1/servers"),
            ("https://x.example/v0.1/servers/", "https://x.example/v0.1/servers"),
            ("https://x.example/a/registry.json", "https://x.example/a/registry.json"),
            ("https://x.example/v0", "https://x.example/v0/servers"),
            ("https://x.example/acme/v0.1/", "https://x.example/acme/v0.1/servers"),
            ("https://x.example/v0?key=1", "https://x.example/v0/servers?key=1"),
        ] {
            assert_eq!(endpoint(&url(text)), Endpoint::List(url(list)), "{text}");
        }
    }

    #[test]
    fn a_bare_base_is_tried_as_v0_1_and_then_as_v0() {
        for (text, base) in [("https://x.example", ""), ("https://x.example/workspaces/default", "/workspaces/default")]
        {
            let candidates = ["v0.1", "v0"].map(|version| url(&format!("https://x.example{base}/{version}/servers")));
            assert_eq!(endpoint(&url(text)), Endpoint::Candidates(candidates), "{text}");
        }
    }

    #[test]
    fn the_public_url_has_no_user_information_and_no_query() {
        assert_eq!(public_url(&url("https://u:p@x.example/v0/servers?key=1")), "https://x.example/v0/servers");
    }
}
