//! Who may use the admin listener: who asks for it by a name of this machine's, shows the token where there is one,
//! and is not sent here by a page of somebody else's.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};
use subtle::ConstantTimeEq as _;
use tokio::io::AsyncReadExt as _;

use super::super::AdminConfig;
use super::super::error::Problem;

/// The largest file with a token.
const MAX_TOKEN_BYTES: u64 = 16 << 10;
/// What browsers say of where a request comes from.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The rules of access.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Access {
    hosts: Vec<String>,
    /// Read again for every request: it may have changed.
    token_file: Option<PathBuf>,
}

impl Access {
    pub(in crate::serve) fn new(config: &AdminConfig) -> Self {
        let token_file = config.token_file.as_ref().map(figment::value::magic::RelativePathBuf::relative);
        Self { hosts: config.hosts.iter().map(|host| host.to_lowercase()).collect(), token_file }
    }

    /// Lets a request pass or not.
    pub(in crate::serve) async fn check(&self, request: &Parts) -> Result<(), Problem> {
        let host = host(request).unwrap_or_default();
        if !self.is_known(&host) {
            // A page elsewhere can make its own name lead here (DNS rebinding); it cannot choose another name.
            let advice = "The admin listener answers to names of this machine; add others to `admin.hosts`.";
            return Err(Problem::Forbidden(advice.into()));
        }
        if !matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            check_same_origin(&request.headers, &host)?;
        }
        let Some(token_file) = &self.token_file else { return Ok(()) };
        let token = read_token(token_file).await.map_err(|problem| {
            tracing::error!(path = %token_file.display(), problem, "nobody is let in: `admin.token_file` cannot be used");
            Problem::Internal
        })?;
        let shown = shown_token(&request.headers).unwrap_or_default();
        if bool::from(shown.as_bytes().ct_eq(token.as_bytes())) { Ok(()) } else { Err(Problem::Unauthorized) }
    }

    fn is_known(&self, host: &str) -> bool {
        let name = without_port(host).to_lowercase();
        let is_loopback = || match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            Some(address) => address.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback()),
            None => name.parse().is_ok_and(|address: std::net::Ipv4Addr| address.is_loopback()),
        };
        let is_local = name == "localhost" || name.ends_with(".localhost") || is_loopback();
        is_local || self.hosts.iter().any(|host| *host == name || without_port(host) == name)
    }
}

/// The host that a request is for, with its port.
fn host(request: &Parts) -> Option<String> {
    let named = request.headers.get(HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    named.or_else(|| request.uri.authority().map(ToString::to_string))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// A page may only do what a page of this very listener asks for. Who is no browser says nothing of pages.
fn check_same_origin(headers: &HeaderMap, host: &str) -> Result<(), Problem> {
    let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    let is_ours = |origin: &str| {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    };
    let is_from_elsewhere = headers.get(SEC_FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none");
    if is_from_elsewhere || origin.is_some_and(|origin| !is_ours(origin)) {
        return Err(Problem::Forbidden("A page of another origin asks for this.".into()));
    }
    Ok(())
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

    fn parts(method: Method, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    async fn refused(access: &Access, method: Method, headers: &[(&str, &str)]) -> Option<u16> {
        access.check(&parts(method, headers)).await.err().map(|problem| problem.status().as_u16())
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
        for site in ["cross-site", "same-site"] {
            assert_eq!(post(vec![host, ("sec-fetch-site", site)]).await, Some(403), "{site}");
        }
    }

    #[tokio::test]
    async fn a_token_is_shown_as_bearer_or_as_password() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("token");
        let access = Access { hosts: Vec::new(), token_file: Some(path.clone()) };
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
