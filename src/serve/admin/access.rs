//! Who may use the admin listener: who asks for it by a name of this machine's, shows the token where there is one,
//! and is not sent here by a page of somebody else's.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, Method};
use subtle::ConstantTimeEq as _;
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;

use super::super::AdminConfig;
use super::super::error::Problem;
use super::super::guard::without_default_port;
use super::super::seldom::Seldom;

/// The largest file with a token.
const MAX_TOKEN_BYTES: u64 = 16 << 10;
/// How often the log says that the token cannot be read, at most: whoever asks finds that out.
const SAY_INTERVAL: Duration = Duration::from_mins(1);
/// What browsers say of where a request comes from.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The rules of access.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Access {
    hosts: Vec<String>,
    /// Read again for every request: it may have changed.
    token_file: Option<PathBuf>,
    /// That the token cannot be read.
    complaint: Arc<Seldom>,
}

impl Access {
    pub(in crate::serve) fn new(config: &AdminConfig) -> Self {
        let token_file = config.token_file.as_ref().map(figment::value::magic::RelativePathBuf::relative);
        let hosts = config.hosts.iter().map(|host| spelt(host)).collect();
        Self { hosts, token_file, complaint: Arc::new(Seldom::every(SAY_INTERVAL)) }
    }

    /// Lets a request pass or not.
    pub(in crate::serve) async fn check(&self, request: &Parts) -> Result<(), Problem> {
        let hosts = hosts(request);
        if hosts.is_empty() || !hosts.iter().all(|host| self.is_known(host)) {
            // A page elsewhere can make its own name lead here (DNS rebinding); it cannot choose another name.
            let advice = "The admin listener answers to names of this machine; add others to `admin.hosts`.";
            return Err(Problem::Forbidden(advice.into()));
        }
        if !matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            check_same_origin(&request.headers, hosts.first().copied().unwrap_or_default())?;
        }
        let Some(token_file) = &self.token_file else { return Ok(()) };
        let token = read_token(token_file).await.map_err(|problem| {
            if self.complaint.may(Instant::now()) {
                let path = token_file.display();
                tracing::error!(%path, problem, "nobody is let in: `admin.token_file` cannot be used");
            }
            Problem::Internal
        })?;
        let shown = shown_token(&request.headers).unwrap_or_default();
        if bool::from(shown.as_bytes().ct_eq(token.as_bytes())) { Ok(()) } else { Err(Problem::Unauthorized) }
    }

    fn is_known(&self, host: &str) -> bool {
        let name = plain(without_port(host));
        let is_loopback = || match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            Some(address) => address.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback()),
            None => name.parse().is_ok_and(|address: std::net::Ipv4Addr| address.is_loopback()),
        };
        let is_local = name == "localhost" || name.ends_with(".localhost") || is_loopback();
        is_local || self.hosts.contains(&name)
    }
}

/// The hosts that a request names, with their ports: the target's first, which counts where there is one (RFC 9112
/// §3.2.2), and `Host`.
fn hosts(request: &Parts) -> Vec<&str> {
    let target = request.uri.authority().map(http::uri::Authority::as_str);
    // What is no text is no name that is known.
    let named = request.headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default());
    target.into_iter().chain(named).collect()
}

/// The host that a configured one means. An address needs no brackets there (as in `$(POD_IP)`), and no host a port.
fn spelt(host: &str) -> String {
    let host = host.trim();
    host.parse().map_or_else(|_| plain(without_port(host)), |address: Ipv6Addr| format!("[{address}]"))
}

/// A host without its port, in the one spelling that it has.
fn plain(host: &str) -> String {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let address = address.and_then(|address| address.parse::<Ipv6Addr>().ok());
    address.map_or_else(|| host.to_lowercase(), |address| format!("[{address}]"))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// A page may only do what a page of this very listener asks for. Who is no browser says nothing of pages.
fn check_same_origin(headers: &HeaderMap, host: &str) -> Result<(), Problem> {
    let origins: Vec<_> = headers.get_all(ORIGIN).iter().collect();
    let is_of_a_stranger = match origins[..] {
        [] => false,
        [origin] => !is_ours(origin.to_str().unwrap_or_default(), host),
        // No browser sends several, and which of them counts is anybody's guess.
        _ => true,
    };
    let is_from_elsewhere = headers.get_all(SEC_FETCH_SITE).iter().any(|site| site != "same-origin" && site != "none");
    if is_from_elsewhere || is_of_a_stranger {
        return Err(Problem::Forbidden("A page of another origin asks for this.".into()));
    }
    Ok(())
}

/// Whether an origin is that of a host. The port that its scheme has anyway may be left out on either side.
fn is_ours(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let Some(scheme) = [Scheme::HTTP, Scheme::HTTPS].into_iter().find(|known| scheme == known.as_str()) else {
        return false;
    };
    let plain = |host: &'_ str| without_default_port(host.as_bytes(), Some(&scheme)).to_ascii_lowercase();
    plain(authority) == plain(host)
}

/// The token as Bearer, or as the password of Basic (RFC 6750 §2.1, RFC 7617).
fn shown_token(headers: &HeaderMap) -> Option<String> {
    let (scheme, credentials) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

async fn read_token(path: &std::path::Path) -> Result<String, String> {
    let read = async {
        let mut text = String::new();
        let file = tokio::fs::File::open(path).await?;
        file.take(MAX_TOKEN_BYTES + 1).read_to_string(&mut text).await?;
        std::io::Result::Ok(text)
    };
    let text = read.await.map_err(|error| error.to_string())?;
    if MAX_TOKEN_BYTES < text.len() as u64 {
        return Err(format!("it has more than {MAX_TOKEN_BYTES} bytes"));
    }
    let token = text.trim();
    if token.is_empty() { Err("it is empty".to_owned()) } else { Ok(token.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn parts(method: Method, target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    async fn refused(access: &Access, method: Method, headers: &[(&str, &str)]) -> Option<u16> {
        access.check(&parts(method, "/", headers)).await.err().map(|problem| problem.status().as_u16())
    }

    #[tokio::test]
    async fn only_names_of_this_machine_and_configured_ones_lead_in() {
        let access = Access::new(&AdminConfig { hosts: vec!["Admin.Acme.example".into()], ..AdminConfig::default() });
        for host in [
            "localhost",
            "LOCALHOST:9090",
            "a.localhost:1",
            "127.0.0.1",
            "127.1.2.3:9090",
            "[::1]",
            "[::1]:9090",
            "admin.acme.example:9",
        ] {
            assert_eq!(refused(&access, Method::GET, &[("host", host)]).await, None, "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1:9090",
            "[fe80::1]",
            "acme.example",
            "[::2]:9090",
        ] {
            assert_eq!(refused(&access, Method::GET, &[("host", host)]).await, Some(403), "{host}");
        }
    }

    #[tokio::test]
    async fn an_address_is_known_however_it_is_written() {
        let hosts =
            ["fd00:0:0::0A", "[fd00::b]", "[fd00::c]:9090", "fd00:1:2:3:4:5:6:7", "10.0.0.1", "acme.example:80"];
        let hosts = hosts.map(str::to_owned).to_vec();
        let access = Access::new(&AdminConfig { hosts, ..AdminConfig::default() });
        for (host, expected) in [
            ("[fd00::a]:9090", None),
            ("[fd00::A]", None),
            ("[fd00:0::b]:9090", None),
            ("[fd00::c]", None),
            ("[fd00:1:2:3:4:5:6:7]:9090", None),
            ("10.0.0.1:9090", None),
            ("acme.example:9090", None),
            ("[fd00::d]:9090", Some(403)),
            ("[fd00:1:2:3:4:5:6:8]", Some(403)),
            ("[fd00::a", Some(403)),
        ] {
            assert_eq!(refused(&access, Method::GET, &[("host", host)]).await, expected, "{host}");
        }
    }

    #[tokio::test]
    async fn every_host_that_a_request_names_must_be_known() {
        let access = Access::new(&AdminConfig::default());
        for (target, hosts, expected) in [
            ("http://localhost:9090/metrics", &["localhost:9090"][..], None),
            ("http://localhost/metrics", &[], None),
            ("http://evil.example/metrics", &["localhost"], Some(403)),
            ("http://localhost/metrics", &["evil.example"], Some(403)),
            ("/metrics", &["localhost", "evil.example"], Some(403)),
            ("/metrics", &[], Some(403)),
        ] {
            let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            let checked = access.check(&parts(Method::GET, target, &headers)).await;
            assert_eq!(checked.err().map(|problem| problem.status().as_u16()), expected, "{target} {hosts:?}");
        }
    }

    #[tokio::test]
    async fn pages_of_others_may_do_nothing() {
        let access = Access::new(&AdminConfig::default());
        let host = ("host", "localhost:9090");
        let post = |headers: Vec<(&'static str, &'static str)>| {
            let access = access.clone();
            async move { refused(&access, Method::POST, &headers).await }
        };
        assert_eq!(post(vec![host]).await, None, "no browser");
        assert_eq!(post(vec![host, ("origin", "http://localhost:9090")]).await, None);
        assert_eq!(post(vec![host, ("sec-fetch-site", "same-origin")]).await, None);
        for origin in ["http://localhost:8080", "http://evil.example", "null", "", "localhost:9090"] {
            assert_eq!(post(vec![host, ("origin", origin)]).await, Some(403), "{origin}");
        }
        assert_eq!(
            post(vec![host, ("origin", "http://localhost:9090"), ("origin", "http://evil.example")]).await,
            Some(403)
        );
        for (host, origin, expected) in [
            ("localhost", "http://localhost:80", None),
            ("localhost:80", "http://localhost", None),
            ("localhost", "https://localhost:443", None),
            ("localhost", "https://localhost:80", Some(403)),
            ("localhost:443", "http://localhost", Some(403)),
            ("localhost", "ftp://localhost", Some(403)),
        ] {
            assert_eq!(post(vec![("host", host), ("origin", origin)]).await, expected, "{host} {origin}");
        }
        for site in ["cross-site", "same-site"] {
            assert_eq!(post(vec![host, ("sec-fetch-site", site)]).await, Some(403), "{site}");
        }
    }

    #[tokio::test]
    async fn a_token_is_shown_as_bearer_or_as_password() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("token");
        let access = Access { token_file: Some(path.clone()), ..Access::new(&AdminConfig::default()) };
        let get = |authorization: String| {
            let access = access.clone();
            async move { refused(&access, Method::GET, &[("host", "localhost"), ("authorization", &authorization)]).await }
        };
        assert_eq!(get("Bearer secret".into()).await, Some(500), "there is no token to compare with");
        for (content, token) in [("secret\n", "secret"), ("other", "other")] {
            std::fs::write(&path, content).expect("a writable directory");
            assert_eq!(get(format!("Bearer {token}")).await, None);
            assert_eq!(get(format!("basic {}", STANDARD.encode(format!("anyone:{token}")))).await, None);
            for wrong in ["Bearer", "Bearer wrong", "Bearer secretx", "Basic secret", "Digest secret", ""] {
                assert_eq!(get(wrong.into()).await, Some(401), "{wrong}");
            }
        }
        assert_eq!(refused(&access, Method::GET, &[("host", "localhost")]).await, Some(401));
        std::fs::write(&path, " \n").expect("a writable directory");
        assert_eq!(get("Bearer ".into()).await, Some(500), "an empty token lets nobody in");
    }
}
