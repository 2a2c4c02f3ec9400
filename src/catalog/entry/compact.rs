//! An entry in as little room as it needs: a catalog holds a million. Nothing stands in it twice: version, title and
//! description are read where they stand in `server`, the official block is written anew from its instants, and what
//! hardly any entry has is elsewhere.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;

use super::instant::{self, Instant, Second, Short, Text};
use super::outline::{Outline, Places};
use super::text::Beginning;
use super::{Digest, Form, Official, Parts, Status};
use crate::catalog::facets::Facets;
use crate::catalog::search::push_lowercase;

/// One version of a server as one registry lists it.
pub struct Entry {
    /// What follows the beginning. Allocated for itself: a slice of its page would keep the whole page for as long as
    /// one of its entries lives.
    server: Box<str>,
    /// In what follows the beginning.
    places: Places,
    digest: Digest,
    form: Form,
    facets: Facets,
    published_at: Instant,
    updated_at: Instant,
    fetched_at: Second,
    beginning: Beginning,
    block: Block,
    unusual: Option<Box<Unusual>>,
}

/// Title and description that take more than this, in bytes of JSON, are kept as searches read them. Those of the
/// official registry are far below; whoever lists longer ones shall not make others' searches slow.
const LONG: usize = 2 << 10;

/// How much of memory comes to the processor at a time.
const LINE_BYTES: usize = 64;

/// How the official block is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    /// With a known status and no other members than every block has.
    Usual(Known, Since),
    /// In another way.
    Unusual,
}

/// A status that most entries have one of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Active,
    Deprecated,
    Deleted,
}

/// Since when it has been the status.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Since {
    Publication,
    Update,
}

/// What hardly any entry has.
#[derive(Default, PartialEq, Eq)]
struct Unusual {
    /// The version, where it stands in `server` with escapes.
    version: Option<Box<str>>,
    /// The status and the rendered members of the official block, where there is more to it.
    official: Option<(Status, Box<str>)>,
    extra_meta: Box<str>,
    upstream: Option<Box<str>>,
    legacy_ids: Option<Box<str>>,
    /// What a search reads, where that is long.
    search_text: Option<Box<str>>,
}

impl Entry {
    /// Packs an entry; none where its `server` is not one that has a name and a version.
    #[must_use]
    pub fn new(parts: Parts<'_>) -> Option<Self> {
        let places = Outline::of(&parts.server)?.places;
        Some(Self::with_places(parts, places))
    }

    /// Packs an entry in whose `server` the texts stand at these places.
    #[must_use]
    pub fn with_places(parts: Parts<'_>, places: Places) -> Self {
        let Parts { server, official, extra_meta, upstream, legacy_ids, digest, form, facets, fetched_at } = parts;
        let (published_at, updated_at) = (official.published_at, official.updated_at);
        let block = Block::of(&official);
        let beginning = Beginning::of(&server);
        // A text cannot stand in it.
        let places = places.after(beginning.as_str().len());
        let server = &server[beginning.as_str().len()..];
        let is_escaped = places.version.plain(server).is_none();
        let unusual = Unusual {
            version: is_escaped.then(|| places.version.text(server).into()),
            official: (block == Block::Unusual).then(|| (official.status, official.rendered.into())),
            extra_meta: extra_meta.into(),
            upstream,
            legacy_ids,
            search_text: is_long(places).then(|| search_text(places, server).into()),
        };
        Self {
            server: server.into(),
            places,
            digest,
            form,
            facets,
            published_at: published_at.into(),
            updated_at: updated_at.into(),
            fetched_at: fetched_at.into(),
            beginning,
            block,
            unusual: (unusual != Unusual::default()).then(|| Box::new(unusual)),
        }
    }

    /// `server.version`; passes [`check_key`](super::check_key).
    #[must_use]
    pub fn version(&self) -> &str {
        let unusual = || self.unusual()?.version.as_deref();
        self.places.version.plain(&self.server).or_else(unusual).unwrap_or_default()
    }

    /// The `server` object, byte for byte as it came except white space between tokens.
    #[must_use]
    pub fn server(&self) -> String {
        self.server_in_two().concat()
    }

    /// What [`Entry::server`] gives, as it is held.
    #[must_use]
    pub fn server_in_two(&self) -> [&str; 2] {
        [self.beginning.as_str(), &self.server]
    }

    /// The length of what [`Entry::server`] gives.
    #[must_use]
    pub fn server_length(&self) -> usize {
        self.beginning.as_str().len() + self.server.len()
    }

    /// Reads a byte of each line of memory that `server` takes, so that they are there when it is written. What it
    /// returns means nothing.
    #[must_use]
    pub fn read_ahead(&self) -> u8 {
        self.server.as_bytes().iter().step_by(LINE_BYTES).fold(0, |seen, byte| seen ^ byte)
    }

    /// `status` of the official block.
    #[must_use]
    pub fn status(&self) -> &Status {
        match self.block {
            Block::Usual(known, _) => known.status(),
            Block::Unusual => self.unusual_official().map_or(Known::Active.status(), |(status, _)| status),
        }
    }

    /// `publishedAt`; decides between versions that are not semantic versions.
    #[must_use]
    pub fn published_at(&self) -> Timestamp {
        self.published_at.into()
    }

    /// `updatedAt`.
    #[must_use]
    pub fn updated_at(&self) -> Timestamp {
        self.updated_at.into()
    }

    /// Whether another entry has the same official block.
    #[must_use]
    pub fn has_official_of(&self, other: &Self) -> bool {
        let block = |entry: &Self| (entry.block, entry.published_at, entry.updated_at);
        block(self) == block(other) && self.unusual_official() == other.unusual_official()
    }

    /// The members of the official block as we serve them, without braces and without `isLatest`.
    #[must_use]
    pub fn official(&self) -> Cow<'_, [u8]> {
        match (self.block, self.unusual_official()) {
            (Block::Unusual, official) => official.map_or(&b""[..], |(_, rendered)| rendered.as_bytes()).into(),
            (Block::Usual(..), _) => {
                let mut members = Vec::with_capacity(self.official_length());
                self.write_official(&mut members);
                members.into()
            }
        }
    }

    /// Appends what [`Entry::official`] gives.
    pub fn write_official(&self, out: &mut Vec<u8>) {
        match self.block {
            Block::Usual(known, since) => write_usual(out, known, since, self.published_at(), self.updated_at()),
            Block::Unusual => out.extend_from_slice(&self.official()),
        }
    }

    /// Appends what an entry that is written in another way does not have, and every other has the same: of `server`
    /// and the rest of `_meta` the form tells enough. No sequence of these is another one's beginning.
    pub fn push_identity(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.form.0);
        out.extend_from_slice(&self.digest.0);
        out.extend_from_slice(&self.fetched_at.to_le_bytes());
        match self.block {
            Block::Usual(known, since) => {
                out.extend_from_slice(&[1, known as u8, since as u8]);
                out.extend_from_slice(&self.published_at.to_le_bytes());
                out.extend_from_slice(&self.updated_at.to_le_bytes());
            }
            Block::Unusual => {
                let official = self.official();
                out.push(0);
                out.extend_from_slice(&(official.len() as u64).to_le_bytes());
                out.extend_from_slice(&official);
            }
        }
    }

    /// The length of what [`Entry::write_official`] appends.
    #[must_use]
    pub fn official_length(&self) -> usize {
        match self.block {
            Block::Usual(known, since) => usual_length(known, since, self.published_at(), self.updated_at()),
            Block::Unusual => self.official().len(),
        }
    }

    /// The other members of `_meta`, as they came: `"key":value,…`, or empty.
    #[must_use]
    pub fn extra_meta(&self) -> &str {
        self.unusual().map_or("", |unusual| &unusual.extra_meta)
    }

    /// The provenance that a registry which is a proxy like ours sent, as a JSON object.
    #[must_use]
    pub fn upstream(&self) -> Option<&str> {
        self.unusual()?.upstream.as_deref()
    }

    /// Identifiers that older formats had in the official block, as a JSON object.
    #[must_use]
    pub fn legacy_ids(&self) -> Option<&str> {
        self.unusual()?.legacy_ids.as_deref()
    }

    /// Identifies the content.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Identifies all that was sent.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// The kind, package types and transports: what a filter reads.
    #[must_use]
    pub fn facets(&self) -> &Facets {
        &self.facets
    }

    /// When this form was first fetched, to the second.
    #[must_use]
    pub fn fetched_at(&self) -> Timestamp {
        self.fetched_at.into()
    }

    /// Title and description as searches read them: in lower case, separated by NUL. No other NUL stands in them: no
    /// term can contain it.
    #[must_use]
    pub fn search_text(&self) -> Cow<'_, str> {
        match self.unusual().and_then(|unusual| unusual.search_text.as_deref()) {
            Some(ready) => ready.into(),
            None => search_text(self.places, &self.server).into(),
        }
    }

    /// Appends what [`Entry::search_text`] gives.
    pub fn push_search_text(&self, out: &mut String) {
        match self.unusual().and_then(|unusual| unusual.search_text.as_deref()) {
            Some(ready) => out.push_str(ready),
            None => push_search_text(out, self.places, &self.server),
        }
    }

    /// Whether title and description stand in the `server` of another entry as they do in this one's.
    #[must_use]
    pub fn has_texts_of(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.places, other.places);
        ours.title.json(&self.server) == theirs.title.json(&other.server)
            && ours.description.json(&self.server) == theirs.description.json(&other.server)
    }

    /// How many bytes of JSON it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let optional = |text: Option<&str>| text.map_or(0, str::len);
        let meta = self.official_length() + self.extra_meta().len();
        self.server_length() + meta + optional(self.upstream()) + optional(self.legacy_ids())
    }

    /// Whether requests see this version only when they ask for deleted ones.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        *self.status() == Status::Deleted
    }

    fn unusual(&self) -> Option<&Unusual> {
        self.unusual.as_deref()
    }

    fn unusual_official(&self) -> Option<&(Status, Box<str>)> {
        self.unusual()?.official.as_ref()
    }
}

fn is_long(places: Places) -> bool {
    LONG < places.title.length() + places.description.length()
}

fn search_text(places: Places, server: &str) -> String {
    let mut text = String::new();
    push_search_text(&mut text, places, server);
    text
}

fn push_search_text(out: &mut String, places: Places, server: &str) {
    push_searched(out, &places.title.text(server));
    out.push('\0');
    push_searched(out, &places.description.text(server));
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Entry")
            .field("server", &self.server())
            .field("status", self.status())
            .field("published_at", &self.published_at())
            .field("updated_at", &self.updated_at())
            .field("official", &String::from_utf8_lossy(&self.official()))
            .field("extra_meta", &self.extra_meta())
            .field("upstream", &self.upstream())
            .field("legacy_ids", &self.legacy_ids())
            .field("digest", &self.digest)
            .field("form", &self.form)
            .field("facets", &self.facets)
            .field("fetched_at", &self.fetched_at())
            .finish_non_exhaustive()
    }
}

impl Block {
    /// How a block is written, and so what has to be held of it.
    fn of(official: &Official<'_>) -> Self {
        let Official { status, published_at, updated_at, rendered } = official;
        let is_written = |known, since| {
            rendered.len() == usual_length(known, since, *published_at, *updated_at) && {
                let mut usual = Vec::with_capacity(rendered.len());
                write_usual(&mut usual, known, since, *published_at, *updated_at);
                usual == rendered.as_bytes()
            }
        };
        let since = |known| [Since::Publication, Since::Update].into_iter().find(|since| is_written(known, *since));
        let usual = Known::of(status).and_then(|known| Some(Self::Usual(known, since(known)?)));
        usual.unwrap_or(Self::Unusual)
    }
}

impl Known {
    fn of(status: &Status) -> Option<Self> {
        match status {
            Status::Active => Some(Self::Active),
            Status::Deprecated => Some(Self::Deprecated),
            Status::Deleted => Some(Self::Deleted),
            Status::Other(_) => None,
        }
    }

    fn status(self) -> &'static Status {
        static KNOWN: [Status; 3] = [Status::Active, Status::Deprecated, Status::Deleted];
        &KNOWN[self as usize]
    }
}

const STATUS: &[u8; 10] = br#""status":""#;
const CHANGED: &[u8; 21] = br#"","statusChangedAt":""#;
const PUBLISHED: &[u8; 17] = br#"","publishedAt":""#;
const UPDATED: &[u8; 15] = br#"","updatedAt":""#;
const END: &[u8; 1] = b"\"";

/// Appends the members of a usual block.
fn write_usual(out: &mut Vec<u8>, status: Known, since: Since, published_at: Timestamp, updated_at: Timestamp) {
    let published = Text::of(published_at);
    // Writing an instant costs more than all the rest.
    let updated = if updated_at == published_at { published } else { Text::of(updated_at) };
    let (Some(published), Some(updated)) = (published, updated) else {
        return write_ancient(out, status, since, published_at, updated_at);
    };
    let mut block = Short::new();
    block.push(STATUS);
    match status {
        Known::Active => block.push(b"active"),
        Known::Deprecated => block.push(b"deprecated"),
        Known::Deleted => block.push(b"deleted"),
    }
    block.push(CHANGED);
    block.push_instant(match since {
        Since::Publication => &published,
        Since::Update => &updated,
    });
    block.push(PUBLISHED);
    block.push_instant(&published);
    block.push(UPDATED);
    block.push_instant(&updated);
    block.push(END);
    out.extend_from_slice(block.as_bytes());
}

/// The same where an instant lies before the year 0.
#[cold]
fn write_ancient(out: &mut Vec<u8>, status: Known, since: Since, published_at: Timestamp, updated_at: Timestamp) {
    let changed_at = match since {
        Since::Publication => published_at,
        Since::Update => updated_at,
    };
    out.extend_from_slice(STATUS);
    out.extend_from_slice(status.status().as_str().as_bytes());
    for (name, at) in [(&CHANGED[..], changed_at), (PUBLISHED, published_at), (UPDATED, updated_at)] {
        out.extend_from_slice(name);
        instant::write(out, at);
    }
    out.extend_from_slice(END);
}

/// The length of what [`write_usual`] appends.
fn usual_length(status: Known, since: Since, published_at: Timestamp, updated_at: Timestamp) -> usize {
    let names = STATUS.len() + CHANGED.len() + PUBLISHED.len() + UPDATED.len() + END.len();
    let (published, updated) = (instant::length(published_at), instant::length(updated_at));
    let changed = match since {
        Since::Publication => published,
        Since::Update => updated,
    };
    names + status.status().as_str().len() + changed + published + updated
}

/// Appends a text as searches read it.
fn push_searched(out: &mut String, text: &str) {
    if memchr::memchr(0, text.as_bytes()).is_some() {
        push_lowercase(out, &text.replace('\0', " "));
    } else {
        push_lowercase(out, text);
    }
}

#[cfg(test)]
#[path = "compact_tests.rs"]
mod tests;
