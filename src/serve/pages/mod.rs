//! The pages that people look at: the ground that all of them stand on. Markup is maud's, which escapes whatever stands
//! in it; what registries wrote is text, and nothing else ([`text`]).
//!
//! In reading order: `root` how a page links to others, `assets` what it loads, `layout` what stands around its content,
//! `text` and `parts` what that is made of, `problem` what is said where there is nothing to show; then the pages.
//!
//! Every page is whole without a script, and loads nothing but our own assets: its policy says so.

mod assets;
mod browse;
mod layout;
pub(super) mod parts;
mod problem;
mod root;
mod server;
mod status;
pub(super) mod text;

use http::{HeaderMap, HeaderValue};

use super::accept::preferred;
use super::api::View;
use super::error::Problem;
use super::query::ListQuery;
pub(super) use assets::{Asset, Assets, mark};
pub(super) use browse::ALL_VERSIONS;
pub(super) use layout::{Layout, Tab};
pub(super) use problem::page as problem;
pub(super) use root::{Root, escaped};
pub(super) use status::page as status;

/// The media type of pages.
pub(super) const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// What a browser may do with a page: show it, with our own style, script and icon, ask us for more, and send us its
/// forms.
pub(super) const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

/// A page that depends on the catalog alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Page {
    /// The list.
    Browse(Browsed),
    /// One server, in this version or in its latest, as it is seen from `root`.
    Server { name: String, version: Option<String>, root: Root },
}

/// The servers that a query asks for, as they are seen from `root`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Browsed {
    pub(super) query: ListQuery,
    pub(super) root: Root,
}

impl Page {
    /// The page out of a catalog that has something to show.
    pub(super) fn render(&self, view: &View<'_>) -> Result<Vec<u8>, Problem> {
        match self {
            Self::Browse(Browsed { query, root }) => Ok(browse::page(view, query, *root).into()),
            Self::Server { name, version, root } => {
                server::page(view, name, version.as_deref(), *root).map(String::into_bytes)
            }
        }
    }

    /// Roughly what it takes of memory besides itself.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Browse(Browsed { query, .. }) => query.heap_bytes(),
            Self::Server { name, version, .. } => name.len() + version.as_ref().map_or(0, String::len),
        }
    }
}

/// Whether who asks would rather read HTML than JSON.
pub(super) fn reads_html(headers: &HeaderMap) -> bool {
    let offered = [("application/problem+json", false), ("application/json", false), ("text/html", true)];
    preferred(headers, &offered).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use http::header::ACCEPT;

    use super::*;

    #[test]
    fn html_is_for_who_prefers_it() {
        for (accept, expected) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("Text/HTML; charset=utf-8", true),
            ("text/html;q=0.5, application/json;q=0.4", true),
            ("text/html;q=0", false),
            ("application/json, text/html;q=0.5", false),
            ("text/htmlx", false),
            ("*/*", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(reads_html(&headers), expected, "{accept:?}");
        }
        assert!(!reads_html(&HeaderMap::new()));
    }
}
