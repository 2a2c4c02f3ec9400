//! Whose pages may speak MCP with us. A browser says where a page comes from (`Origin`), and it cannot be made to say
//! something else; who is no browser says nothing, and is let in.
//!
//! The protocol wants this checked, against DNS rebinding: a page at a name that its owner lets lead to our address is
//! for the browser of the same origin as we are. So that the origin is our own host counts only where a name cannot be
//! turned: the host is an address, or it was reached over TLS, whose certificate that page's owner does not have.
//! `cors_origins = ["*"]` lets all pages read what is public; here it lets no page in. Those that are named come in.

use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use url::{Host, Url};

use super::super::error::Problem;

/// Whose pages may ask.
#[derive(Debug)]
pub(in crate::serve) enum Pages {
    /// Our own, those of this machine, and those of these origins.
    Of(Vec<HeaderValue>),
    /// The admin listener has asked already who it is.
    Known,
}

impl Pages {
    /// Those of the configured origins.
    pub(in crate::serve) fn new(origins: &[String]) -> Self {
        let named = origins.iter().filter(|origin| *origin != "*");
        Self::Of(named.filter_map(|origin| HeaderValue::from_str(origin).ok()).collect())
    }

    pub(super) fn check(&self, request: &Parts) -> Result<(), Problem> {
        let Self::Of(named) = self else { return Ok(()) };
        let origins: Vec<_> = request.headers.get_all(ORIGIN).iter().collect();
        let is_welcome = match origins[..] {
            [] => true,
            [origin] => named.contains(origin) || origin.to_str().is_ok_and(|origin| is_ours(origin, request)),
            // No browser sends several, and which of them counts is anybody's guess.
            _ => false,
        };
        let advice = "Pages of this origin may not speak MCP with this server; add it to `server.cors_origins`.";
        if is_welcome { Ok(()) } else { Err(Problem::Forbidden(advice.into())) }
    }
}

/// Whether an origin is of this machine, or is the host that the request names, where that proves something.
fn is_ours(origin: &str, request: &Parts) -> bool {
    let Some(url) = Url::parse(origin).ok().filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return false;
    };
    let is_address = match url.host() {
        Some(Host::Domain(name)) if name == "localhost" || name.ends_with(".localhost") => return true,
        Some(Host::Ipv4(address)) if address.is_loopback() => return true,
        Some(Host::Ipv6(address)) if address.is_loopback() => return true,
        Some(Host::Domain(_)) => false,
        Some(_) => true,
        None => return false,
    };
    (is_address || url.scheme() == "https") && is_asked_for(&url, request)
}

/// Whether the request names the origin's host, and no other.
fn is_asked_for(origin: &Url, request: &Parts) -> bool {
    let hosts = hosts(&request.headers).chain(request.uri.authority().map(http::uri::Authority::as_str));
    let mut is_same = hosts.map(|host| {
        Url::parse(&format!("{}://{host}", origin.scheme())).is_ok_and(|named| named.origin() == origin.origin())
    });
    is_same.next().unwrap_or(false) && is_same.all(|same| same)
}

fn hosts(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn is_let_in(pages: &Pages, target: &str, headers: &[(&str, &str)]) -> bool {
        let request = Request::post(target);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        pages.check(&request.body(()).expect("a request").into_parts().0).is_ok()
    }

    #[test]
    fn pages_of_this_machine_of_our_own_host_and_named_ones_may_ask() {
        let pages = Pages::new(&["*".to_owned(), "https://agents.acme.example".to_owned()]);
        for (host, origin) in [
            ("mcp.acme.example", None),
            ("mcp.acme.example", Some("https://agents.acme.example")),
            ("mcp.acme.example", Some("https://mcp.acme.example")),
            ("mcp.acme.example:443", Some("https://mcp.acme.example")),
            ("mcp.acme.example:8443", Some("https://mcp.acme.example:8443")),
            ("10.0.0.7:8080", Some("http://10.0.0.7:8080")),
            ("[fd00::7]:8080", Some("http://[fd00::7]:8080")),
            ("127.0.0.1:8080", Some("http://localhost:6274")),
            ("127.0.0.1:8080", Some("http://127.0.0.1:6274")),
            ("127.0.0.1:8080", Some("http://[::1]:6274")),
            ("127.0.0.1:8080", Some("http://app.localhost")),
        ] {
            let headers: Vec<_> = [("host", host)].into_iter().chain(origin.map(|origin| ("origin", origin))).collect();
            assert!(is_let_in(&pages, "/mcp", &headers), "{host} {origin:?}");
        }
        assert!(is_let_in(&pages, "https://mcp.acme.example/mcp", &[("origin", "https://mcp.acme.example")]), "HTTP/2");
    }

    #[test]
    fn pages_of_others_may_not_ask_and_a_name_that_leads_here_proves_nothing() {
        let pages = Pages::new(&["*".to_owned(), "https://agents.acme.example".to_owned()]);
        for (host, origin) in [
            ("evil.example:8080", "http://evil.example:8080"),
            ("127.0.0.1:8080", "http://evil.example"),
            ("127.0.0.1:8080", "http://localhost.evil.example"),
            ("127.0.0.1:8080", "https://agents.acme.example:8443"),
            ("127.0.0.1:8080", "http://agents.acme.example"),
            ("10.0.0.7:8080", "http://10.0.0.8:8080"),
            ("10.0.0.7:8080", "http://10.0.0.7"),
            ("mcp.acme.example", "https://other.acme.example"),
            ("127.0.0.1:8080", "null"),
            ("127.0.0.1:8080", ""),
            ("127.0.0.1:8080", "file:///tmp/page.html"),
            ("127.0.0.1:8080", "vscode-webview://localhost"),
        ] {
            assert!(!is_let_in(&pages, "/mcp", &[("host", host), ("origin", origin)]), "{host} {origin}");
        }
        let twice = [("origin", "http://localhost"), ("origin", "http://localhost")];
        assert!(!is_let_in(&pages, "/mcp", &twice));
        let unlike = [("host", "other.acme.example"), ("origin", "https://mcp.acme.example")];
        assert!(!is_let_in(&pages, "https://mcp.acme.example/mcp", &unlike));
        assert!(!is_let_in(&pages, "/mcp", &[("origin", "https://mcp.acme.example")]), "no host");
        assert!(is_let_in(&Pages::Known, "/mcp", &[("origin", "http://evil.example")]));
    }
}
