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

use http::HeaderMap;
use http::HeaderValue;
use http::header::ACCEPT;

use super::api::View;
use super::error::Problem;
use super::query::ListQuery;
pub(super) use assets::{Asset, Assets};
pub(super) use browse::ALL_VERSIONS;
pub(super) use layout::{Layout, Tab};
pub(super) use problem::page as problem;
pub(super) use root::{Root, escaped};
pub(super) use status::page as status;

/// The pages that everybody may see.
const TABS: [Tab; 3] =
    [Tab { label: "Servers", to: "" }, Tab { label: "Registries", to: "status" }, Tab { label: "API", to: "docs" }];

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
    /// The servers that a query asks for.
    Browse(ListQuery),
    /// One server, in this version or in its latest, as it is seen from `root`.
    Server { name: String, version: Option<String>, root: Root },
}

impl Page {
    /// The page out of a catalog that has something to show.
    pub(super) fn render(&self, view: &View<'_>) -> Result<Vec<u8>, Problem> {
        match self {
            Self::Browse(query) => Ok(browse::page(view, query).into()),
            Self::Server { name, version, root } => {
                server::page(view, name, version.as_deref(), *root).map(String::into_bytes)
            }
        }
    }

    /// Roughly what it takes of memory besides itself.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Browse(query) => query.heap_bytes(),
            Self::Server { name, version, .. } => name.len() + version.as_ref().map_or(0, String::len),
        }
    }
}

/// Whether a path is that of a page, so that its problems are pages, too, to who reads HTML.
pub(super) fn is_page(path: &str) -> bool {
    path == "/" || path.starts_with("/server/") || path.trim_end_matches('/') == "/status"
}

/// Whether who asks reads HTML.
pub(super) fn reads_html(headers: &HeaderMap) -> bool {
    const NAME: &[u8] = b"text/html";
    let names = |value: &HeaderValue| value.as_bytes().windows(NAME.len()).any(|part| part.eq_ignore_ascii_case(NAME));
    headers.get_all(ACCEPT).iter().any(names)
}
