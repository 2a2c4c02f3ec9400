//! What the simulation asks of a registry in place of a request: all but the socket.

use super::crawl::PageQuery;
use super::http::ListUrl;
use super::wire::Page;
use super::{Origin, Registry};

impl Registry {
    /// What [`Registry::page`] makes of a page that the registry has now under that tag: the remembered one, where the
    /// tag is still the same, and else this one, which is remembered by it.
    pub(crate) fn exchange(&self, list: &ListUrl, query: &PageQuery, tag: Option<String>, page: Page) -> Page {
        let Origin::Http(http) = &self.source else { return page };
        if tag.is_some() && tag == http.tag(list, query) {
            return http.remembered_page(list, query).expect("what has a tag is remembered");
        }
        http.remember(list, query, tag, &page);
        page
    }
}
