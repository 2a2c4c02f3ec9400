//! What no route is asked about: heads that are too large, targets that are too long, requests whose framing or whose
//! host two servers could read differently (RFC 9112 §3.2, §6), and the method that asks for a tunnel. Pure.

use http::header::{CONTENT_LENGTH, COOKIE, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Method, Version};

use super::error::Problem;
use super::escapes::check_nul;
use super::note::REQUEST_ID;

/// The longest request target.
pub(super) const MAX_URI_BYTES: usize = 8 << 10;
/// The most headers of one request, over either HTTP. Hyper's own bounds are wider: what it refuses has none of our
/// headers, so that a page of another origin could not read why.
pub(super) const MAX_HEADERS: usize = 64;
/// The most bytes of headers: names, values, and what stands between them.
pub(super) const MAX_HEADER_BYTES: usize = 16 << 10;
/// What stands between a name and its value, and behind that: `: ` and the line's end.
const BETWEEN_BYTES: usize = 4;

/// Lets a request pass, or says why it gets no further. Of one that passes it says whether it has an id (`note`): its
/// headers are all looked at here, and to look for one that is seldom there would take longer.
pub(super) fn check(request: &Parts) -> Result<bool, Problem> {
    let head = Head::read(&request.headers);
    head.check_size()?;
    check_host(request, &head)?;
    match request.method {
        Method::CONNECT => return Err(Problem::MethodNotAllowed { allow: "GET, HEAD, OPTIONS".to_owned() }),
        Method::GET | Method::HEAD | Method::OPTIONS if head.announces_body => {
            return Err(Problem::BadRequest("Invalid request: this method takes no body".into()));
        }
        _ => {}
    }
    if MAX_URI_BYTES < request.uri.path_and_query().map_or(0, |target| target.as_str().len()) {
        return Err(Problem::UriTooLong);
    }
    check_nul(request.uri.path(), request.uri.query())?;
    Ok(head.has_id)
}

/// What is to be known of a request's headers, read in one pass.
#[derive(Default)]
struct Head<'a> {
    headers: usize,
    /// Names, values, and what stands between them.
    bytes: usize,
    cookies: usize,
    host: Option<&'a HeaderValue>,
    hosts: usize,
    /// Whether it has an id.
    has_id: bool,
    /// Whether it says that a body follows. Over HTTP/2 one may follow unannounced; it is dropped, and can be taken
    /// for nothing else.
    announces_body: bool,
}

impl<'a> Head<'a> {
    fn read(headers: &'a HeaderMap) -> Self {
        let mut head = Self::default();
        for (name, value) in headers {
            head.headers += 1;
            head.bytes += name.as_str().len() + value.len() + BETWEEN_BYTES;
            if name == HOST {
                head.host.get_or_insert(value);
                head.hosts += 1;
            } else if name == COOKIE {
                head.cookies += 1;
            } else if name == TRANSFER_ENCODING || name == CONTENT_LENGTH && !is_zero(value) {
                head.announces_body = true;
            } else if name == REQUEST_ID {
                head.has_id = true;
            }
        }
        head
    }

    fn check_size(&self) -> Result<(), Problem> {
        // Over HTTP/2, browsers send every cookie as a header of its own (RFC 9113 §8.2.3).
        let more_cookies = self.cookies.saturating_sub(1);
        if self.headers - more_cookies <= MAX_HEADERS && self.bytes <= MAX_HEADER_BYTES {
            Ok(())
        } else {
            Err(Problem::HeadTooLarge)
        }
    }
}

/// Whether a body of that length is none.
fn is_zero(length: &HeaderValue) -> bool {
    !length.is_empty() && length.as_bytes().iter().all(|digit| *digit == b'0')
}

fn check_host(request: &Parts, head: &Head<'_>) -> Result<(), Problem> {
    let refuse = |problem: &'static str| Err(Problem::BadRequest(problem.into()));
    match head.host {
        _ if head.hosts > 1 => return refuse("Invalid request: more than one Host header"),
        Some(host) if !is_host(host.as_bytes()) => return refuse("Invalid request: malformed Host header"),
        None if request.version == Version::HTTP_11 => return refuse("Invalid request: missing Host header"),
        _ => {}
    }
    // In absolute form, and on HTTP/2, the target names the host too.
    let Some(authority) = request.uri.authority().map(|authority| authority.as_str().as_bytes()) else {
        return Ok(());
    };
    if !is_host(authority) {
        return refuse("Invalid request: malformed host");
    }
    let scheme = request.uri.scheme();
    let differs = |host: &HeaderValue| {
        !without_default_port(host.as_bytes(), scheme).eq_ignore_ascii_case(without_default_port(authority, scheme))
    };
    if request.version == Version::HTTP_2 && head.host.is_some_and(differs) {
        return refuse("Invalid request: `:authority` and Host differ");
    }
    match scheme {
        Some(scheme) if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS => {
            refuse("Invalid request: neither http nor https")
        }
        _ => Ok(()),
    }
}

/// The host without a port that says nothing (RFC 3986 §6.2.3).
pub(super) fn without_default_port<'a>(host: &'a [u8], scheme: Option<&Scheme>) -> &'a [u8] {
    let port: &[u8] = if scheme == Some(&Scheme::HTTPS) { b":443" } else { b":80" };
    host.strip_suffix(port).or_else(|| host.strip_suffix(b":")).unwrap_or(host)
}

/// Whether this is `host` or `host:port` (RFC 3986 §3.2.2), without userinfo.
fn is_host(bytes: &[u8]) -> bool {
    let name_ends_at = if bytes.first() == Some(&b'[') {
        bytes.iter().position(|byte| *byte == b']').map(|bracket| bracket + 1)
    } else {
        bytes.iter().position(|byte| *byte == b':').or(Some(bytes.len()))
    };
    let Some((name, port)) = name_ends_at.and_then(|end| bytes.split_at_checked(end)) else { return false };
    let is_name = match name {
        [] => false,
        [b'[', address @ .., b']'] => std::str::from_utf8(address).is_ok_and(is_address),
        name => name.iter().copied().all(is_in_names),
    };
    is_name && (port.is_empty() || is_port(port))
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

fn is_in_names(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'%' | b'$' | b'!' | b'&'..=b'.' | b';' | b'=' | b'_' | b'~')
}

/// Whether this is a colon and, after it, nothing or a port.
fn is_port(text: &[u8]) -> bool {
    let [b':', digits @ ..] = text else { return false };
    let number = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    number.is_some_and(|number| number.is_empty() || number.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    /// The status that a request is refused with.
    fn refused(method: Method, target: &str, version: Version, headers: &[(&str, &str)]) -> Option<u16> {
        let mut request = Request::builder().method(method).uri(target).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        check(&parts).err().map(|problem| problem.status().as_u16())
    }

    #[test]
    fn hosts_are_a_name_or_an_address_and_perhaps_a_port() {
        for host in ["a", "a.example", "A.example:8080", "a:", "127.0.0.1:65535", "[::1]", "[::1]:80", "a_b", "a%2eb"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in [
            "",
            ":80",
            "a b",
            "a/b",
            "a@b",
            "user:pass@b",
            "a:b",
            "a:80:80",
            "a:65536",
            "a:-1",
            "::1",
            "[::1",
            "[::1]80",
            "[a]",
            "a?b",
            "a#b",
            "http://a",
            "a\u{e9}",
            "a:+5",
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn http_1_1_needs_exactly_one_host_that_can_be_read() {
        let get = |version, headers| refused(Method::GET, "/", version, headers);
        for version in [Version::HTTP_11, Version::HTTP_10, Version::HTTP_2] {
            assert_eq!(get(version, &[("host", "a.example:80")]), None);
            assert_eq!(get(version, &[("host", "a"), ("host", "a")]), Some(400));
            assert_eq!(get(version, &[("host", "user@a")]), Some(400));
            assert_eq!(get(version, &[("host", "a b")]), Some(400));
        }
        assert_eq!(get(Version::HTTP_11, &[]), Some(400));
        assert_eq!(get(Version::HTTP_10, &[]), None);
        assert_eq!(get(Version::HTTP_2, &[]), None);
    }

    #[test]
    fn the_target_may_name_the_host_without_userinfo() {
        let host = &[("host", "a")];
        assert_eq!(refused(Method::GET, "http://b.example/x", Version::HTTP_11, host), None);
        assert_eq!(refused(Method::GET, "http://user@b.example/x", Version::HTTP_11, host), Some(400));
        assert_eq!(refused(Method::GET, "http://user@b.example/x", Version::HTTP_2, &[]), Some(400));
        assert_eq!(refused(Method::CONNECT, "b.example:443", Version::HTTP_11, host), Some(405));
        assert_eq!(refused(Method::OPTIONS, "*", Version::HTTP_11, host), None);
        for scheme in ["ftp", "httpx", "ws"] {
            assert_eq!(refused(Method::GET, &format!("{scheme}://b.example/x"), Version::HTTP_11, host), Some(400));
        }
        assert_eq!(refused(Method::GET, "HTTPS://b.example/x", Version::HTTP_11, host), None);
    }

    #[test]
    fn over_http2_host_and_authority_are_the_same() {
        let get = |host| refused(Method::GET, "http://a.example:80/x", Version::HTTP_2, &[("host", host)]);
        assert_eq!(get("a.example:80"), None);
        assert_eq!(get("A.example:80"), None);
        assert_eq!(get("a.example"), None, "the port says nothing");
        assert_eq!(get("a.example:443"), Some(400));
        assert_eq!(get("b.example:80"), Some(400));
    }

    #[test]
    fn heads_have_bounds() {
        let get = |headers: &[(&str, &str)]| refused(Method::GET, "/", Version::HTTP_2, headers);
        let many = [("x-many", "x"); MAX_HEADERS + 1];
        assert_eq!(get(&many[1..]), None);
        assert_eq!(get(&many), Some(431));
        assert_eq!(get(&[("cookie", "a=b"); 100]), None, "as browsers send them");
        let long = "x".repeat(MAX_HEADER_BYTES - "x-long: \r\n".len() + 1);
        assert_eq!(get(&[("x-long", &long[1..])]), None);
        assert_eq!(get(&[("x-long", &long)]), Some(431));
    }

    #[test]
    fn targets_have_bounds_and_no_nul() {
        let get = |target: &str| refused(Method::POST, target, Version::HTTP_2, &[]);
        let long = format!("/{}", "x".repeat(MAX_URI_BYTES));
        assert_eq!(get(&long[..MAX_URI_BYTES]), None);
        assert_eq!(get(&long), Some(414));
        assert_eq!(get("/a%00b"), Some(400));
        assert_eq!(get("/a?b=%00"), Some(400));
    }

    #[test]
    fn reading_takes_no_body() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            let check = |header| refused(method.clone(), "/", Version::HTTP_11, &[("host", "a"), header]);
            assert_eq!(check(("content-length", "0")), None);
            assert_eq!(check(("content-length", "5")), Some(400));
            assert_eq!(check(("content-length", "nonsense")), Some(400));
            assert_eq!(check(("content-length", "")), Some(400));
            assert_eq!(check(("transfer-encoding", "chunked")), Some(400));
        }
        let headers = &[("host", "a"), ("content-length", "5")];
        assert_eq!(refused(Method::POST, "/", Version::HTTP_11, headers), None, "the route knows what to say");
    }
}
