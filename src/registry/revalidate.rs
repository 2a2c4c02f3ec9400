//! Pages that need not be sent again: a registry that gives its pages an `ETag` is asked whether they are still the
//! same, and what they decoded to before is taken again. Full walks only: increments ask for something new each time.

use std::collections::HashMap;
use std::mem::take;

use url::Url;

use super::wire::Page;

/// The longest tag that is remembered, in bytes.
pub(super) const MAX_TAG_BYTES: usize = 1 << 10;

/// What the pages of the last complete walk were, and those of the walk in progress. So it holds the pages of two walks
/// at most, whose entries are for the greater part those of the listing.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    complete: HashMap<Url, (String, Page)>,
    present: HashMap<Url, (String, Page)>,
}

impl Remembered {
    /// A full walk begins. What one before it brought that came to no end is forgotten.
    pub(super) fn begin_walk(&mut self) {
        self.present.clear();
    }

    /// A full walk has come to its end: only its pages count from now on.
    pub(super) fn end_walk(&mut self) {
        self.complete = take(&mut self.present);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The tag to ask with, if the page is remembered.
    pub(super) fn tag(&self, url: &Url) -> Option<&str> {
        self.known(url).map(|(tag, _)| tag.as_str())
    }

    /// Remembers a page that came with a tag, if it did.
    pub(super) fn note(&mut self, url: Url, tag: Option<String>, page: &Page) {
        match tag {
            Some(tag) => self.present.insert(url, (tag, page.clone())),
            None => self.present.remove(&url),
        };
    }

    /// The page that is still the same, now a page of the walk in progress.
    pub(super) fn again(&mut self, url: &Url) -> Option<Page> {
        let (tag, page) = self.known(url)?.clone();
        self.present.insert(url.clone(), (tag, page.clone()));
        Some(page)
    }

    fn known(&self, url: &Url) -> Option<&(String, Page)> {
        self.present.get(url).or_else(|| self.complete.get(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(cursor: &str) -> Page {
        let mut page = Page::default();
        page.next_cursor = Some(cursor.to_owned());
        page
    }

    #[test]
    fn the_pages_of_the_last_complete_walk_are_remembered_and_no_others() {
        let [first, second] =
            ["https://x.example/?a", "https://x.example/?b"].map(|url| Url::parse(url).expect("a URL"));
        let mut remembered = Remembered::default();
        remembered.begin_walk();
        remembered.note(first.clone(), Some("\"1\"".to_owned()), &page("c"));
        remembered.note(second.clone(), Some("\"2\"".to_owned()), &page("d"));
        remembered.end_walk();
        // A walk that sees one page again, another one changed, and comes to no end.
        remembered.begin_walk();
        assert_eq!((remembered.tag(&first), remembered.tag(&second)), (Some("\"1\""), Some("\"2\"")));
        assert_eq!(remembered.again(&first).and_then(|page| page.next_cursor).as_deref(), Some("c"));
        remembered.note(second.clone(), Some("\"3\"".to_owned()), &page("e"));
        assert_eq!(remembered.tag(&second), Some("\"3\""));
        // The next one does not see the second page at all.
        remembered.begin_walk();
        assert_eq!(remembered.tag(&second), Some("\"2\""), "what a complete walk brought");
        remembered.again(&first);
        remembered.end_walk();
        assert_eq!((remembered.tag(&first), remembered.tag(&second)), (Some("\"1\""), None));
        remembered.clear();
        assert_eq!(remembered.tag(&first), None);
    }
}
