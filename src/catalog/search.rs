//! How searches compare texts: without regard to letter case, in every script.
//!
//! A needle is looked for in a server's name, and in the title and the description of each version; never across
//! two of them: NUL separates them, which no needle contains.

use memchr::memmem::Finder;

use super::entry::Entry;

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
    let mut rest = text;
    while !rest.is_empty() {
        let ascii = rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
        let start = out.len();
        out.push_str(&rest[..ascii]);
        out[start..].make_ascii_lowercase();
        let mut others = rest[ascii..].chars();
        out.extend(others.next().into_iter().flat_map(char::to_lowercase));
        rest = others.as_str();
    }
}

/// What a search looks for.
pub(super) struct Needle {
    lowercase: String,
    finder: Finder<'static>,
    /// The text at hand in lower case: so that each need not be given room of its own.
    text: String,
}

impl Needle {
    /// A needle in any letter case.
    pub(super) fn new(term: &str) -> Self {
        let lowercase = lowercase(term);
        let finder = Finder::new(lowercase.as_bytes()).into_owned();
        Self { lowercase, finder, text: String::new() }
    }

    /// The needle in lower case.
    pub(super) fn lowercase(&self) -> &str {
        &self.lowercase
    }

    /// Whether it is in a text.
    pub(super) fn is_in(&mut self, text: &str) -> bool {
        self.text.clear();
        push_lowercase(&mut self.text, text);
        self.finder.find(self.text.as_bytes()).is_some()
    }

    /// Whether it is in the title or the description of a version.
    pub(super) fn is_in_texts_of(&mut self, entry: &Entry) -> bool {
        self.text.clear();
        entry.push_search_text(&mut self.text);
        self.finder.find(self.text.as_bytes()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_character_becomes_lower_case_by_itself() {
        for text in ["", "ABC", "É", "aÉB İ ß ΣΑΣ", "漢字 Ω\u{1F600}Z", "Kelvin K"] {
            let expected: String = text.chars().flat_map(char::to_lowercase).collect();
            assert_eq!(lowercase(text), expected);
        }
        let mut out = "KEPT ".to_owned();
        push_lowercase(&mut out, "AÉ");
        assert_eq!(out, "KEPT aé");
    }

    #[test]
    fn a_needle_is_found_in_any_letter_case() {
        let mut needle = Needle::new("Straße É");
        assert!(needle.is_in("x STRAßE é") && !needle.is_in("x strasse é"));
    }
}
