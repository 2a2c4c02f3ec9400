//! One version of one server, as one registry lists it: the smallest thing that travels through the
//! house. Entries are immutable and shared (`Arc`) between listings and catalogs.
//!
//! Nothing here judges foreign JSON; `registry::wire` does and hands over finished values.

mod compact;
pub(super) mod instant;
mod known;
mod outline;
mod scan;
mod text;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::facets::Facets;
pub use compact::Entry;
pub use known::KnownFacets;
pub use outline::{Outline, Places};
pub use scan::{Scanner, end_of_plain};

/// The longest name and the longest version, in bytes. The schema allows 200 and 255; twice that is
/// liberal, and a cursor that carries both still fits in any URL.
pub const MAX_KEY_BYTES: usize = 512;

/// The `_meta` key of the official registry's block.
pub const OFFICIAL_KEY: &str = "io.modelcontextprotocol.registry/official";

/// A server's name: never empty, at most [`MAX_KEY_BYTES`] long, no NUL. Ordered by its bytes, as the
/// API orders lists. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text cannot be a name or a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Clients reject a page that holds an entry without a name or a version.
    #[error("is empty")]
    Empty,
    /// Cursors could not carry it.
    #[error("is longer than {MAX_KEY_BYTES} bytes")]
    TooLong,
    /// No request can ask for it: the API refuses NUL everywhere.
    #[error("contains a NUL character")]
    Nul,
}

/// Checks what names and versions have in common.
///
/// # Errors
/// When the text cannot be a key; see [`KeyError`].
pub fn check_key(text: &str) -> Result<(), KeyError> {
    if text.is_empty() {
        Err(KeyError::Empty)
    } else if MAX_KEY_BYTES < length_in_cursors(text) {
        Err(KeyError::TooLong)
    } else if text.contains('\0') {
        Err(KeyError::Nul)
    } else {
        Ok(())
    }
}

/// How long a text is in a cursor, where control characters take six bytes each: one that no URL can hold would end
/// every walk of the list there.
fn length_in_cursors(text: &str) -> usize {
    text.bytes().map(|byte| if byte.is_ascii_control() { 6 } else { 1 }).sum()
}

impl Name {
    /// # Errors
    /// When the text cannot be a name; see [`KeyError`].
    pub fn new(text: &str) -> Result<Self, KeyError> {
        check_key(text)?;
        Ok(Self(text.into()))
    }

    /// The name as the registry wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The life-cycle status of a version. Values that we do not know are kept as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Status {
    /// The default, also where a registry says nothing.
    #[default]
    Active,
    /// Listed, but clients should move on.
    Deprecated,
    /// Hidden unless a request asks for deleted versions.
    Deleted,
    /// A value that the official registry does not have today.
    Other(Box<str>),
}

impl Status {
    /// Reads the wire value.
    #[must_use]
    pub fn from_wire(text: &str) -> Self {
        match text {
            "active" => Self::Active,
            "deprecated" => Self::Deprecated,
            "deleted" => Self::Deleted,
            other => Self::Other(other.into()),
        }
    }

    /// The wire value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Active => "active",
            Self::Deprecated => "deprecated",
            Self::Deleted => "deleted",
            Self::Other(text) => text,
        }
    }
}

/// SHA-256 of the canonical JSON (RFC 8785) of `server` without its `_meta`: what two registries
/// must agree on to list the same content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The length of a digest in hexadecimal.
    pub(super) const HEXADECIMAL: usize = 64;

    /// The digest in hexadecimal.
    pub(super) fn hexadecimal(&self) -> [u8; Self::HEXADECIMAL] {
        // Every entry of a page has one: sixteen digits at a time, without a table, so that they are made side by side.
        let digit = |nibble: u8| nibble + b'0' + u8::from(nibble > 9) * (b'a' - b'9' - 1);
        let mut text = [0; Self::HEXADECIMAL];
        for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        text
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hexadecimal().into_iter().try_for_each(|digit| fmt::Write::write_char(formatter, char::from(digit)))
    }
}

/// Identifies everything that a registry sent for a version, `isLatest` aside (we recompute it):
/// equal forms mean that nothing has changed since the last fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Form(pub [u8; 16]);

/// The registry's own block of `_meta`, complete: what a registry left out has been filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Official<'a> {
    /// `status`.
    pub status: Status,
    /// `publishedAt`; decides between versions that are not semantic versions.
    pub published_at: Timestamp,
    /// `updatedAt`.
    pub updated_at: Timestamp,
    /// The members of the block as we serve them, without braces and without `isLatest`.
    pub rendered: Cow<'a, str>,
}

/// The parts of an [`Entry`], before they are packed.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    /// The `server` object, byte for byte as it came except white space between tokens.
    pub server: Cow<'a, str>,
    /// The official block.
    pub official: Official<'a>,
    /// The other members of `_meta`, as they came: `"key":value,…`, or empty.
    pub extra_meta: String,
    /// The provenance that a registry which is a proxy like ours sent, as a JSON object.
    pub upstream: Option<Box<str>>,
    /// Identifiers that older formats had in the official block (`id`, `serverId`, `versionId`), as a
    /// JSON object; they are served inside our provenance.
    pub legacy_ids: Option<Box<str>>,
    /// Identifies the content.
    pub digest: Digest,
    /// Identifies all that was sent.
    pub form: Form,
    /// The kind, package types and transports: what a filter reads.
    pub facets: Facets,
    /// When this form was first fetched, to the second.
    pub fetched_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_a_cursor_can_carry() {
        assert_eq!(Name::new(""), Err(KeyError::Empty));
        assert_eq!(Name::new("a\0b"), Err(KeyError::Nul));
        assert!(Name::new("a\u{1}b").is_ok());
        assert_eq!(Name::new(&"\u{1}".repeat(MAX_KEY_BYTES / 6 + 1)), Err(KeyError::TooLong));
        assert_eq!(Name::new(&"x".repeat(MAX_KEY_BYTES + 1)), Err(KeyError::TooLong));
        assert!(Name::new("Salesforce DX MCP").is_ok());
    }

    #[test]
    fn names_order_by_bytes() {
        let upper = Name::new("io.github.Zed/x").expect("a name");
        let lower = Name::new("io.github.abc/x").expect("a name");
        assert!(upper < lower);
    }
}
