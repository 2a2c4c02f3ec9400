//! How searches compare texts: without regard to letter case, in every script.
//!
//! A needle is looked for in a server's name, and in the title and the description of each version; never across
//! two of them: NUL separates them, which no needle contains.

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
