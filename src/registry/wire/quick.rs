//! The usual page, read in one pass: entries in the current format, as the official registry and proxies like ours
//! write them, without white space.
//!
//! It takes only what it is sure of, and that as `document`, `element` and `json` would. The rest it leaves to them: of
//! a document that is not usual, nothing is taken; of an element that is not, only its extent is found. So what is wrong,
//! and how it is said, is decided there alone.

use std::borrow::Cow;

use serde_json::Number;

use super::document;
use super::element::MAX_DEPTH;
use super::json::{Growing, Json, MAX_ELEMENTS, Members, Raw, RawMembers, end_of_text};
use crate::catalog::entry::{OFFICIAL_KEY, end_of_plain};

/// The most bytes of a usual document's metadata: a cursor and a count take less than a thousand.
const MAX_METADATA_BYTES: usize = 64 << 10;

/// An element in the current format: an object of `server` and, perhaps, `_meta`, each an object that is sound.
#[derive(Debug)]
pub(super) struct Wrapped<'a> {
    /// All of it.
    pub(super) raw: Raw<'a>,
    /// `server` as it came, which is without white space, and the tree that was read of it.
    pub(super) text: &'a str,
    pub(super) server: Json<'a>,
    pub(super) meta: Meta<'a>,
}

/// `_meta`, of which all is sound.
#[derive(Debug)]
pub(super) struct Meta<'a> {
    pub(super) members: RawMembers<'a>,
    /// The members of the official block, where they have been read already.
    pub(super) official: Option<RawMembers<'a>>,
}

impl Meta<'_> {
    pub(super) fn empty() -> Self {
        Self { members: Members::empty(), official: None }
    }
}

/// Takes the elements of a list as they are read.
pub(super) trait Take<'a> {
    /// The most bytes of an element that is worth reading.
    fn max_element_size(&self) -> usize;
    /// How much of this text, which begins with an element, is one that needs no reading.
    fn take_known(&mut self, text: &'a str) -> Option<usize>;
    /// Takes one in the current format.
    fn take_wrapped(&mut self, element: Wrapped<'a>);
    /// Takes another one.
    fn take_raw(&mut self, element: Raw<'a>);
}

/// What a usual document says besides its elements.
#[derive(Debug)]
pub(super) struct Usual {
    /// The cursor of the next page; none on the last one.
    pub(super) next_cursor: Option<String>,
}

/// Reads a document and gives its elements to `take`. None where it is not a usual one: then what was taken does not
/// count.
pub(super) fn read<'a>(body: &'a [u8], take: &mut impl Take<'a>) -> Option<Usual> {
    let mut reader = Reader { text: std::str::from_utf8(body).ok()?, at: 0, limit: usize::MAX };
    let (mut has_servers, mut has_metadata, mut next_cursor) = (false, false, None);
    reader.expect(b'{')?;
    loop {
        let key = reader.string()?;
        reader.expect(b':')?;
        match &*key {
            "servers" if !has_servers => {
                reader.elements(take)?;
                has_servers = true;
            }
            "metadata" if !has_metadata => {
                reader.limit = reader.at.saturating_add(MAX_METADATA_BYTES);
                next_cursor = document::next_cursor(&reader.raw_members(MAX_DEPTH)?).ok()?;
                has_metadata = true;
            }
            _ => return None,
        }
        if reader.accept(b'}') {
            break;
        }
        reader.expect(b',')?;
    }
    let is_whole = reader.rest().trim_end_matches([' ', '\t', '\n', '\r']).is_empty();
    (has_servers && is_whole).then_some(Usual { next_cursor })
}

/// Reads JSON without white space. Where it gives nothing, it may be anywhere.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Behind this no value begins that is worth reading: a tree takes many times the room of its text.
    limit: usize,
}

impl<'a> Reader<'a> {
    fn elements(&mut self, take: &mut impl Take<'a>) -> Option<()> {
        self.expect(b'[')?;
        if self.accept(b']') {
            return Some(());
        }
        for _ in 0..MAX_ELEMENTS {
            self.element(take)?;
            if self.accept(b']') {
                return Some(());
            }
            self.expect(b',')?;
        }
        None
    }

    fn element(&mut self, take: &mut impl Take<'a>) -> Option<()> {
        if let Some(length) = take.take_known(self.rest()) {
            self.at += length;
            return Some(());
        }
        let start = self.at;
        self.limit = start.saturating_add(take.max_element_size());
        if let Some(wrapped) = self.wrapped() {
            take.take_wrapped(wrapped);
            return Some(());
        }
        self.at = start;
        let mut values = serde_json::Deserializer::from_str(self.rest()).into_iter::<Raw<'a>>();
        let raw = values.next()?.ok()?;
        self.at += values.byte_offset();
        take.take_raw(raw);
        Some(())
    }

    fn wrapped(&mut self) -> Option<Wrapped<'a>> {
        let start = self.at;
        self.expect(b'{')?;
        let (mut server, mut meta) = (None, None);
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            match &*key {
                "server" if server.is_none() => {
                    let from = self.at;
                    let object = Json::Object(self.object(MAX_DEPTH - 1)?);
                    server = Some((self.text.get(from..self.at)?, object));
                }
                "_meta" if meta.is_none() => meta = Some(self.meta()?),
                _ => return None,
            }
            if self.accept(b'}') {
                break;
            }
            self.expect(b',')?;
        }
        let (text, server) = server?;
        let raw = Raw::of(self.text.get(start..self.at)?);
        Some(Wrapped { raw, text, server, meta: meta.unwrap_or_else(Meta::empty) })
    }

    fn meta(&mut self) -> Option<Meta<'a>> {
        let mut official = None;
        let members = self.members(|reader, key| {
            let from = reader.at;
            if key == OFFICIAL_KEY && reader.peek()? == b'{' {
                official = Some(reader.raw_members(MAX_DEPTH - 2)?);
            } else {
                reader.value(MAX_DEPTH - 2)?;
            }
            reader.text.get(from..reader.at).map(Raw::of)
        })?;
        Some(Meta { members, official })
    }

    /// The members of an object that may have so many levels.
    fn raw_members(&mut self, levels: usize) -> Option<RawMembers<'a>> {
        let room = levels.checked_sub(1)?;
        self.members(|reader, _| {
            let from = reader.at;
            reader.value(room)?;
            reader.text.get(from..reader.at).map(Raw::of)
        })
    }

    /// An object that may have so many levels.
    fn object(&mut self, levels: usize) -> Option<Members<'a, Json<'a>>> {
        let room = levels.checked_sub(1)?;
        self.members(|reader, _| reader.value(room))
    }

    fn members<V>(&mut self, mut value: impl FnMut(&mut Self, &str) -> Option<V>) -> Option<Members<'a, V>> {
        self.expect(b'{')?;
        let mut members = Growing::new();
        if self.accept(b'}') {
            return Some(members.finish());
        }
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            if !members.is_new(&key) {
                return None;
            }
            let value = value(self, &key)?;
            members.push(key, value);
            if self.accept(b'}') {
                return Some(members.finish());
            }
            self.expect(b',')?;
        }
    }

    /// A value that may have so many levels.
    fn value(&mut self, levels: usize) -> Option<Json<'a>> {
        if self.limit < self.at {
            return None;
        }
        match self.peek()? {
            b'"' => self.string().map(Json::Text),
            b'{' => self.object(levels).map(Json::Object),
            b'[' => self.list(levels).map(Json::List),
            b't' => self.literal("true", Json::Bool(true)),
            b'f' => self.literal("false", Json::Bool(false)),
            b'n' => self.literal("null", Json::Null),
            _ => self.number(),
        }
    }

    fn list(&mut self, levels: usize) -> Option<Vec<Json<'a>>> {
        let room = levels.checked_sub(1)?;
        self.expect(b'[')?;
        let mut items = Vec::new();
        if self.accept(b']') {
            return Some(items);
        }
        loop {
            items.push(self.value(room)?);
            if self.accept(b']') {
                return Some(items);
            }
            self.expect(b',')?;
        }
    }

    fn literal(&mut self, literal: &str, value: Json<'a>) -> Option<Json<'a>> {
        self.rest().starts_with(literal).then(|| {
            self.at += literal.len();
            value
        })
    }

    fn number(&mut self) -> Option<Json<'a>> {
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = self.rest().as_bytes().iter().take_while(|byte| is_part(byte)).count();
        let number: Number = serde_json::from_str(self.text.get(self.at..self.at + length)?).ok()?;
        self.at += length;
        Some(Json::Number(number))
    }

    /// A text, as it stands there where it holds no escapes.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        let quote = self.at;
        self.expect(b'"')?;
        let bytes = self.text.as_bytes();
        let end = end_of_plain(bytes, self.at)?;
        match bytes.get(end)? {
            b'"' => {
                self.at = end + 1;
                self.text.get(quote + 1..end).map(Cow::Borrowed)
            }
            b'\\' => {
                self.at = end_of_text(bytes, end);
                serde_json::from_str(self.text.get(quote..self.at)?).ok().map(Cow::Owned)
            }
            _ => None,
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.accept(byte).then_some(())
    }
}

#[cfg(test)]
#[path = "quick_tests.rs"]
mod tests;
