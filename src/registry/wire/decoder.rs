//! The elements of a document, decoded one after the other into a page.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::element::{self, Decoded, Failure};
use super::json::Raw;
use super::quick::{Take, Wrapped};
use super::{Context, FormatError, Page, Refused, shortened};
use crate::catalog::entry::KnownFacets;
use crate::catalog::listing::Place;

/// A page that grows.
pub(super) struct Decoder<'c> {
    context: &'c Context<'c>,
    known: KnownFacets,
    page: Page,
    /// Whether anything looks like an entry.
    is_recognised: bool,
    /// What follows in the previous listing: lists are in its order, and most of what they list stays as it is.
    expected: Option<Place>,
}

impl<'c> Decoder<'c> {
    pub(super) fn new(context: &'c Context<'c>) -> Self {
        let (known, page) = (KnownFacets::default(), Page::default());
        Self { context, known, page, is_recognised: false, expected: None }
    }

    /// The page of a document that names this cursor.
    pub(super) fn finish(mut self, next_cursor: Option<String>) -> Page {
        self.page.next_cursor = next_cursor;
        if !self.is_recognised && self.page.refused.count > 0 {
            let first = self.page.refused.entries.first().map_or("", |refused| &refused.reason);
            let found = format!("found a list of something else: its first element {first}");
            self.page.doubt = Some(FormatError::new(&found));
        }
        self.page
    }

    fn push(&mut self, element: Raw<'_>, result: Result<Decoded, Failure>) {
        self.is_recognised |= !matches!(result, Err(Failure::Unrecognised(_)));
        match result {
            Ok((name, entry)) => {
                let previous = self.context.previous;
                self.expected = previous.and_then(|it| it.place_after(name.as_str(), entry.version()));
                self.page.entries.push((name, entry));
            }
            Err(failure) => self.page.refused.push_with(|| refused(element, &failure.reason())),
        }
    }
}

impl<'a> Take<'a> for Decoder<'_> {
    fn max_element_size(&self) -> usize {
        self.context.max_entry_size
    }

    fn take_known(&mut self, text: &'a str) -> Option<usize> {
        let previous = self.context.previous?;
        let place = self.expected?;
        let (name, entry) = previous.at(place)?;
        let length = element::length_of_known(text, entry, self.context)?;
        self.is_recognised = true;
        self.expected = previous.next(place);
        self.page.entries.push((name.clone(), Arc::clone(entry)));
        Some(length)
    }

    fn take_wrapped(&mut self, element: Wrapped<'a>) {
        let result = element::decode_wrapped(&element, self.context, &mut self.known);
        self.push(element.raw, result);
    }

    fn take_raw(&mut self, element: Raw<'a>) {
        let result = element::decode(element, self.context, &mut self.known);
        self.push(element, result);
    }
}

/// Reports an element that was left out, with whatever name and version it has.
fn refused(element: Raw<'_>, reason: &str) -> Refused {
    /// What is looked at of it. The rest, which may be refused for its size, is passed over.
    #[derive(Default, Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        server: Option<&'a RawValue>,
        #[serde(borrow)]
        name: Option<&'a RawValue>,
        #[serde(borrow)]
        version: Option<&'a RawValue>,
    }
    fn named(json: &str) -> Named<'_> {
        serde_json::from_str(json).unwrap_or_default()
    }
    let outer = named(element.get());
    let server = outer.server.map_or(outer, |server| named(server.get()));
    let shown = |field: Option<&RawValue>| {
        field.and_then(|field| Raw::of(field.get()).text()).map(|text| text.chars().take(200).collect())
    };
    Refused { name: shown(server.name), version: shown(server.version), reason: shortened(reason) }
}

#[cfg(test)]
mod tests {
    use super::super::decode;
    use super::super::fuzzing::{context, listing};
    use super::*;
    use crate::catalog::entry::OFFICIAL_KEY;

    fn element(name: &str, description: &str, meta: &str) -> String {
        let server = format!(r#"{{"name":"{name}","description":"{description}","version":"1"}}"#);
        format!(r#"{{"server":{server},"_meta":{{"{OFFICIAL_KEY}":{{{meta}}}}}}}"#)
    }

    fn block(is_latest: bool) -> String {
        let at = "2026-01-01T00:00:00Z";
        let times = format!(r#""statusChangedAt":"{at}","publishedAt":"{at}","updatedAt":"{at}""#);
        format!(r#""status":"active",{times},"isLatest":{is_latest}"#)
    }

    #[test]
    fn what_is_refused_is_named_and_not_read() {
        let name = |element: &str| {
            let element = serde_json::from_str::<Raw<'_>>(element).expect("JSON");
            let Refused { name, version, .. } = refused(element, "for no reason");
            (name, version)
        };
        let text = |text: &str| Some(text.to_owned());
        let large = "0,".repeat(1_000);
        assert_eq!(
            name(&format!(r#"{{"server":{{"name":"a\/b","x":[{large}0],"version":"1"}}}}"#)),
            (text("a/b"), text("1"))
        );
        assert_eq!(name(r#"{"name":"a/b","version":1}"#), (text("a/b"), None));
        assert_eq!(name(r#"{"server":5,"name":"a/b"}"#), (None, None));
        assert_eq!(name("[5]"), (None, None));
    }

    #[test]
    fn what_is_listed_as_before_need_not_be_read() {
        let elements = ["a/one", "b/two", "c/three"].map(|name| element(name, "d", &block(true)));
        let page = decode(format!(r#"{{"servers":[{}]}}"#, elements.join(",")).as_bytes(), &context(None));
        let entries = page.expect("a list").entries;
        let listing = listing(&entries);
        let context = context(Some(&listing));
        let length = |text: &str| {
            let mut decoder = Decoder::new(&context);
            assert_eq!(decoder.take_known(text), None, "nothing is expected yet");
            decoder.expected = listing.place_after("a/one", "1");
            let length = decoder.take_known(text);
            let taken = decoder.finish(None).entries;
            assert!(taken.iter().all(|(name, entry)| (name, entry.version()) == (&entries[1].0, "1")));
            assert!(taken.iter().all(|(_, entry)| Arc::ptr_eq(entry, &entries[1].1)));
            length.inspect(|_| assert_eq!(taken.len(), 1))
        };
        let known = &elements[1];
        assert_eq!(length(&format!("{known},{{")), Some(known.len()));
        assert_eq!(length(&element("b/two", "d", &block(false))), Some(known.len() + 1), "that is ours to compute");
        for other in [
            element("b/two", "e", &block(true)),
            element("c/three", "d", &block(true)),
            element("b/two", "d", &block(true).replace("active", "deleted")),
            element("b/two", "d", &(block(true) + r#","x":1"#)),
            element("b/two", "d", &block(true).replace(r#","isLatest":true"#, "")),
            known[..known.len() - 1].to_owned(),
        ] {
            assert_eq!(length(&other), None, "{other}");
        }
        let narrow = Context { max_entry_size: known.len() - 1, ..context };
        let expected = listing.place_after("a/one", "1");
        assert_eq!(Decoder { expected, ..Decoder::new(&narrow) }.take_known(known), None, "it is too large");
    }
}
