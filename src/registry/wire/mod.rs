//! Every wire format in the wild, turned into entries: strict per document, lenient per entry.
//!
//! A document that is no registry list fails as a whole ([`FormatError`]). An entry that would break
//! clients is left out and reported ([`Refused`]); it never costs the rest of its page. The current format
//! is kept verbatim; older ones are rewritten (see `legacy`). Nothing outside this module sees foreign JSON.

mod canonical;
mod decoder;
mod document;
mod element;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod json;
mod legacy;
mod official;
mod quick;
mod shape;
#[cfg(test)]
mod testing;
mod time;

mod upstream;

use std::sync::Arc;

use jiff::Timestamp;

use crate::catalog::entry::{Entry, KnownFacets, Name};
use crate::catalog::listing::Listing;

use decoder::Decoder;
pub use element::MAX_DEPTH;
use quick::Take as _;

/// The most refused entries that are kept with their reason; all are counted.
pub const MAX_REFUSED: usize = 1_000;
/// The longest reason that is given, in characters: some quote what a registry wrote.
const MAX_REASON_CHARS: usize = 300;

/// What decoding needs to know besides the bytes.
#[derive(Debug)]
pub struct Context<'a> {
    /// The time of the fetch.
    pub now: Timestamp,
    /// The `_meta` key of our provenance, which no registry can supply.
    pub provenance_key: &'a str,
    /// What the same registry listed before, if anything.
    pub previous: Option<&'a Listing>,
    /// The largest entry that is taken, in bytes of JSON.
    pub max_entry_size: usize,
}

/// One decoded document.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The entries that clients can decode. One in the same form as before is the previous one.
    pub entries: Vec<(Name, Arc<Entry>)>,
    /// The others.
    pub refused: RefusedEntries,
    /// Where the next page begins; none on the last one.
    pub next_cursor: Option<String>,
    /// Why this may not be a registry's list at all, if there is doubt: none of several elements looks like
    /// an entry in any format.
    doubt: Option<FormatError>,
}

impl Page {
    /// How many entries the document listed, refused ones included.
    #[must_use]
    pub fn listed(&self) -> usize {
        self.entries.len() + self.refused.count
    }

    /// Whether it can be taken for a registry's list by itself. In the middle of a walk, a page of bad
    /// entries is just that.
    ///
    /// # Errors
    /// When nothing in it looks like an entry.
    pub fn check_recognised(&self) -> Result<(), FormatError> {
        self.doubt.clone().map_or(Ok(()), Err)
    }
}

/// An entry that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Refused {
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why, in a sentence.
    pub reason: String,
}

/// Entries that were left out: all counted, the first ones kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RefusedEntries {
    /// How many there are.
    pub count: usize,
    /// The first [`MAX_REFUSED`] of them.
    pub entries: Vec<Refused>,
}

impl RefusedEntries {
    fn push_with(&mut self, refused: impl FnOnce() -> Refused) {
        self.count += 1;
        if self.entries.len() < MAX_REFUSED {
            self.entries.push(refused());
        }
    }

    /// Adds what another document refused.
    pub fn append(&mut self, more: Self) {
        self.count += more.count;
        let room = MAX_REFUSED.saturating_sub(self.entries.len());
        self.entries.extend(more.entries.into_iter().take(room));
    }
}

/// The document is not a registry's list; the sentence says what was found and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a registry list: {0}")]
pub struct FormatError(String);

impl FormatError {
    /// An error of this sentence, shortened where a registry made it long.
    #[must_use]
    pub fn new(found: &str) -> Self {
        Self(shortened(found))
    }
}

fn shortened(text: &str) -> String {
    let mut shortened: String = text.chars().take(MAX_REASON_CHARS).collect();
    if shortened.len() < text.len() {
        shortened.push('…');
    }
    shortened
}

/// Decodes a list document.
///
/// # Errors
/// When it is not a list of anything.
pub fn decode(body: &[u8], context: &Context<'_>) -> Result<Page, FormatError> {
    let mut decoder = Decoder::new(context);
    if let Some(usual) = quick::read(body, &mut decoder) {
        return Ok(decoder.finish(usual.next_cursor));
    }
    let document = document::read(body).map_err(|found| FormatError::new(&found))?;
    let mut decoder = Decoder::new(context);
    document.elements.into_iter().for_each(|element| decoder.take_raw(element));
    Ok(decoder.finish(document.next_cursor))
}

/// Decodes a document that is one entry.
///
/// # Errors
/// When it is none that clients could decode.
pub fn decode_entry(body: &[u8], context: &Context<'_>) -> Result<(Name, Arc<Entry>), FormatError> {
    let entry = document::read_one(body).map_err(|found| FormatError::new(&found))?;
    element::decode(entry, context, &mut KnownFacets::default())
        .map_err(|failure| FormatError::new(&format!("its one entry {}", failure.reason())))
}

#[cfg(test)]
mod tests;
