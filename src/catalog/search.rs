//! The search index: all names, titles and descriptions, lower-cased, in one text that is scanned.
//!
//! Per name the text holds the name and each different title and description of its versions, all
//! separated by NUL, which no search term can contain: a match never spans two fields. A match says
//! which name to look at; which of its versions match is the caller's to find out.

use memchr::memmem::Finder;

use super::Server;

/// Lower-cased text of a whole catalog.
#[derive(Debug, Default)]
pub(super) struct SearchIndex {
    text: String,
    /// Where each server's part of the text begins, ascending.
    starts: Vec<usize>,
}

impl SearchIndex {
    pub(super) fn new<'a>(servers: impl ExactSizeIterator<Item = &'a Server>) -> Self {
        let mut index = Self { text: String::new(), starts: Vec::with_capacity(servers.len()) };
        for server in servers {
            index.starts.push(index.text.len());
            index.push(server);
        }
        index
    }

    fn push(&mut self, server: &Server) {
        push_lowercase(&mut self.text, server.name.as_str());
        let mut last: Option<String> = None;
        for version in &server.versions {
            let text = version.entry.search_text();
            // Most versions repeat their predecessor's text.
            if last.as_ref() != Some(&text) {
                self.text.push('\0');
                self.text.push_str(&text);
                last = Some(text);
            }
        }
        self.text.push('\0');
    }

    /// The lower-cased name of a server.
    pub(super) fn lowercase_name(&self, server: usize) -> &str {
        let rest = self.starts.get(server).map_or("", |start| &self.text[*start..]);
        rest.split('\0').next().unwrap_or_default()
    }

    /// The first server at or after `from` whose text contains the needle.
    pub(super) fn next_match(&self, needle: &Finder<'_>, from: usize) -> Option<usize> {
        let start = *self.starts.get(from)?;
        let found = start + needle.find(&self.text.as_bytes()[start..])?;
        Some(self.starts.partition_point(|start| *start <= found) - 1)
    }
}

/// A text in lower case; see [`push_lowercase`].
#[must_use]
pub fn lowercase(text: &str) -> String {
    let mut lowercase = String::with_capacity(text.len());
    push_lowercase(&mut lowercase, text);
    lowercase
}

/// Appends a text in lower case, as terms and indexed texts are compared: each character by itself, because
/// a part of a text must read the same as the whole (a final sigma would not).
pub fn push_lowercase(out: &mut String, text: &str) {
    if text.is_ascii() {
        out.extend(text.bytes().map(|byte| char::from(byte.to_ascii_lowercase())));
    } else {
        out.extend(text.chars().flat_map(char::to_lowercase));
    }
}
