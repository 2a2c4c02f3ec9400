//! URLs with variables in them, `https://{host}:{port}/mcp`: what is in braces, and what they are with something in
//! its place.

use url::Url;

/// The variables of a URL, in their order.
pub(super) fn variables(text: &str) -> impl Iterator<Item = &str> {
    parts(text).filter_map(|part| if let Part::Variable(name) = part { Some(name) } else { None })
}

/// The URL with values in the place of its variables, if it is one of HTTP then.
pub(super) fn filled(text: &str) -> Option<Url> {
    let mut filled = String::new();
    let mut parts = parts(text).peekable();
    while let Some(part) = parts.next() {
        let is_last_of_authority = match parts.peek() {
            None => true,
            Some(Part::Text(next)) => next.starts_with('/'),
            Some(Part::Variable(_)) => false,
        };
        filled.push_str(match part {
            Part::Text(text) => text,
            Part::Variable("host") => "example.com",
            Part::Variable("port") => "8080",
            Part::Variable("protocol" | "scheme") => "http",
            Part::Variable(_) if filled.ends_with(':') && is_last_of_authority => "8080",
            Part::Variable(_) => "placeholder",
        });
    }
    let has_authority = filled.starts_with("http://") || filled.starts_with("https://");
    Url::parse(&filled).ok().filter(|url| has_authority && url.has_host())
}

enum Part<'a> {
    Text(&'a str),
    Variable(&'a str),
}

/// A URL in parts; braces with nothing between them, or only one of them, are text.
fn parts(mut rest: &str) -> impl Iterator<Item = Part<'_>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let variable = rest.find('{').and_then(|start| {
            let length = rest[start + 1..].find('}').filter(|length| *length > 0)?;
            Some((start, start + 1 + length))
        });
        let (part, left) = match variable {
            Some((0, end)) => (Part::Variable(&rest[1..end]), &rest[end + 1..]),
            Some((start, _)) => (Part::Text(&rest[..start]), &rest[start..]),
            None => (Part::Text(rest), ""),
        };
        rest = left;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found_and_filled() {
        for (text, names, expected) in [
            ("https://a.example/mcp", &[][..], Some("https://a.example/mcp")),
            ("http://{host}:{port}/mcp", &["host", "port"], Some("http://example.com:8080/mcp")),
            ("https://a:{mine}", &["mine"], Some("https://a:8080/")),
            ("https://a:{mine}/x", &["mine"], Some("https://a:8080/x")),
            ("https://{tenant}.example/{id}", &["tenant", "id"], Some("https://placeholder.example/placeholder")),
            ("{scheme}://a", &["scheme"], Some("http://a/")),
            ("https://a/{", &[], Some("https://a/%7B")),
            ("https:a", &[], None),
            ("ftp://a", &[], None),
            ("https://", &[], None),
            ("{base}/mcp", &["base"], None),
        ] {
            assert_eq!(variables(text).collect::<Vec<_>>(), names, "{text}");
            assert_eq!(filled(text).as_ref().map(Url::as_str), expected, "{text}");
        }
    }
}
