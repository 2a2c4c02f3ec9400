//! URLs in the one form in which they are compared and shown: without what may be secret in them.

use url::Url;

/// The longest URL that is looked at.
const MAX_BYTES: usize = 2048;

/// A URL as it is compared: scheme and host in lower case, no default port, no slash at the end, and without userinfo,
/// query and fragment, where secrets stand. None where it is not one of `http` or `https`.
#[must_use]
pub(super) fn normalised(text: &str) -> Option<String> {
    let text = text.trim();
    if MAX_BYTES < text.len() {
        return None;
    }
    let mut url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())?;
    url.set_query(None);
    url.set_fragment(None);
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// The host of a normalised URL, with its port if it has one.
#[must_use]
pub(super) fn host(normalised: &str) -> &str {
    let rest = normalised.split_once("://").map_or(normalised, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

/// Whether a URL leads nowhere but to this machine.
#[must_use]
pub(super) fn is_local(normalised: &str) -> bool {
    let host = host(normalised);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost"
        || name.ends_with(".localhost")
        || name.starts_with("127.")
        || name == "[::1]"
        || name == "0.0.0.0"
}

/// A listed URL with variables in braces, which many configured ones may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<String>);

impl Template {
    /// None where it has no variables, or where they could stand for somebody else's host: the last two labels of
    /// the host have to be written out.
    #[must_use]
    pub(super) fn new(listed: &str) -> Option<Self> {
        let mut literals = Vec::new();
        let mut rest = listed.trim().split(['?', '#']).next().unwrap_or_default();
        while let Some((before, after)) = rest.split_once('{') {
            literals.push(before.to_owned());
            rest = after.split_once('}')?.1;
        }
        literals.push(rest.trim_end_matches('/').to_owned());
        let filled = normalised(&literals.join("*"))?;
        let host = host(&filled);
        let labels: Vec<&str> = host.rsplit('.').take(2).collect();
        let is_written_out = labels.len() == 2 && labels.iter().all(|label| !label.contains('*'));
        (literals.len() > 1 && is_written_out).then(|| {
            // The first one starts with scheme and host, where letter case does not count.
            literals[0] = literals[0].to_ascii_lowercase();
            Self(literals)
        })
    }

    /// Whether a normalised URL is one of it: each variable some characters other than a slash.
    #[must_use]
    pub(super) fn matches(&self, normalised: &str) -> bool {
        let [first, between @ .., last] = self.0.as_slice() else { return false };
        let Some(mut rest) = normalised.strip_prefix(first.as_str()) else { return false };
        for literal in between.iter().chain([last]) {
            let is_last = std::ptr::eq(literal, last);
            let found = if is_last {
                rest.strip_suffix(literal.as_str()).map(str::len)
            } else {
                rest.get(1..).and_then(|rest| rest.find(literal.as_str()).map(|at| at + 1))
            };
            let Some(at) = found.filter(|at| 0 < *at && !rest[..*at].contains('/')) else { return false };
            rest = &rest[at + literal.len()..];
        }
        rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_compared_without_what_does_not_count_and_what_is_secret() {
        for (text, expected) in [
            ("HTTPS://Mcp.Example.COM:443/Mcp/", "https://mcp.example.com/Mcp"),
            ("https://user:secret@mcp.example.com/mcp?api_key=secret#secret", "https://mcp.example.com/mcp"),
            ("http://mcp.example.com:8080", "http://mcp.example.com:8080"),
            ("http://mcp.example.com:80/", "http://mcp.example.com"),
        ] {
            assert_eq!(normalised(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "mcp.example.com", "file:///x", "${input:url}", "stdio://x"] {
            assert_eq!(normalised(text), None, "{text}");
        }
        assert_eq!(host("https://mcp.example.com:1/x"), "mcp.example.com:1");
        assert!(
            is_local("http://localhost:3000/mcp") && is_local("http://127.0.0.1:1") && !is_local("https://a.example")
        );
    }

    #[test]
    fn a_template_matches_what_its_variables_may_stand_for() {
        let matches = |template: &str, url: &str| Template::new(template).is_some_and(|template| template.matches(url));
        assert!(matches("https://{tenant}.example.com/mcp", "https://acme.example.com/mcp"));
        assert!(matches("https://mcp.example.com/{org}/{project}/mcp/", "https://mcp.example.com/a/b/mcp"));
        assert!(matches("https://mcp.example.com/mcp/{id}?key={key}", "https://mcp.example.com/mcp/1"));
        assert!(!matches("https://{tenant}.example.com/mcp", "https://acme.example.com/other"));
        assert!(!matches("https://{tenant}.example.com/mcp", "https://evil.example/x.example.com/mcp"));
        assert!(!matches("https://mcp.example.com/{org}/mcp", "https://mcp.example.com/a/b/mcp"));
        for template in ["https://{host}/mcp", "https://{host}.com/mcp", "{url}", "https://mcp.example.com/mcp"] {
            assert_eq!(Template::new(template), None, "{template}");
        }
    }
}
