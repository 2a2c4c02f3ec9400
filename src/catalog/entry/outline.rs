//! Where the texts stand in a `server` object that are read often, so that they need not be held beside it.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::scan::Scanner;

/// More levels than this, and `serde_json` reads it, which has a limit of its own.
const QUICK_LEVELS: usize = 64;

/// What identifies a version in its `server` object, and where the texts stand in it that are searched.
#[derive(Debug)]
pub struct Outline<'a> {
    /// `name`.
    pub name: Cow<'a, str>,
    /// `version`.
    pub version: Cow<'a, str>,
    /// Where the texts stand.
    pub places: Places,
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    name: &'a RawValue,
    #[serde(borrow)]
    version: &'a RawValue,
    #[serde(borrow, default)]
    title: Option<&'a RawValue>,
    #[serde(borrow, default)]
    description: Option<&'a RawValue>,
}

impl<'a> Outline<'a> {
    /// Reads a `server` object; none where it is not one that has a name and a version.
    #[must_use]
    pub fn of(server: &'a str) -> Option<Self> {
        match Self::quick(server) {
            Some((outline, end)) if end == server.len() => Some(outline),
            _ => Self::new(serde_json::from_str(server).ok()?, server),
        }
    }

    /// Reads the `server` object that a text begins with, and returns what follows it, too.
    #[must_use]
    pub fn of_first(text: &'a str) -> Option<(Self, &'a str, &'a str)> {
        // Of an array, the members would be read in their order.
        let mut values = serde_json::Deserializer::from_str(text.strip_prefix('{').map(|_| text)?).into_iter();
        let members = values.next()?.ok()?;
        let (server, rest) = text.split_at_checked(values.byte_offset())?;
        Some((Self::new(members, server)?, server, rest))
    }

    /// The same where the object is one as most are, and nested no deeper than entries may be. None says nothing of it.
    #[must_use]
    pub fn of_usual(text: &'a str) -> Option<(Self, &'a str, &'a str)> {
        let (outline, end) = Self::quick(text)?;
        let (server, rest) = text.split_at_checked(end)?;
        Some((outline, server, rest))
    }

    /// The outline of the object that a text begins with, and where that ends; none where it is not an object as most are.
    fn quick(text: &'a str) -> Option<(Self, usize)> {
        let mut places = [const { None }; 4];
        let mut scanner = Scanner::new(text);
        scanner.object(QUICK_LEVELS, |key, start, end| {
            let Some(which) = ["name", "version", "title", "description"].iter().position(|known| *known == key) else {
                return Some(());
            };
            let place = Place { start: u32::try_from(start).ok()?, end: u32::try_from(end).ok()? };
            places[which].replace(place).is_none().then_some(())
        })?;
        let [name, version, title, description] = places;
        let is_text = |place: &Place| text.as_bytes().get(place.start as usize) == Some(&b'"');
        let optional = |place: Option<Place>| place.filter(is_text).unwrap_or_default();
        let version = version.filter(is_text)?;
        let places = Places { version, title: optional(title), description: optional(description) };
        let known = |place: Place| self::text(place.json(text));
        Some((Self { name: known(name?)?, version: known(version)?, places }, scanner.position()))
    }

    fn new(Members { name, version, title, description }: Members<'a>, server: &str) -> Option<Self> {
        let optional = |raw: Option<&RawValue>| raw.and_then(|raw| Place::of(raw, server)).unwrap_or_default();
        let places =
            Places { version: Place::of(version, server)?, title: optional(title), description: optional(description) };
        Some(Self { name: text(name.get())?, version: text(version.get())?, places })
    }
}

/// Where texts stand in a `server` object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    pub(super) version: Place,
    pub(super) title: Place,
    pub(super) description: Place,
}

impl Places {
    /// Where texts stand that are known already; none where one of them is not a slice of `server`, as one with escapes.
    #[must_use]
    pub fn of(server: &str, version: &str, title: Option<&str>, description: Option<&str>) -> Option<Self> {
        let optional = |text: Option<&str>| text.map_or(Some(Place::default()), |text| Place::around(text, server));
        Some(Self {
            version: Place::around(version, server)?,
            title: optional(title)?,
            description: optional(description)?,
        })
    }

    /// The same places in a text without so many bytes of its beginning.
    pub(super) fn after(self, bytes: usize) -> Self {
        let after = |place: Place| place.after(bytes).unwrap_or_default();
        Self { version: after(self.version), title: after(self.title), description: after(self.description) }
    }
}

/// Where a text stands, with its quotes; empty where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    start: u32,
    end: u32,
}

impl Place {
    /// Where a value stands that was read from this text; none where it is not a text itself.
    fn of(value: &RawValue, text: &str) -> Option<Self> {
        Self::at(value.get().as_ptr() as usize, value.get().len(), text)
    }

    /// Where the quotes stand around a slice of this text.
    fn around(value: &str, text: &str) -> Option<Self> {
        Self::at((value.as_ptr() as usize).checked_sub(1)?, value.len() + 2, text)
    }

    fn at(address: usize, length: usize, text: &str) -> Option<Self> {
        let start = address.checked_sub(text.as_ptr() as usize)?;
        let found = text.get(start..start.checked_add(length)?)?;
        let is_text = length > 1 && found.starts_with('"') && found.ends_with('"');
        let place = Self { start: u32::try_from(start).ok()?, end: u32::try_from(start + length).ok()? };
        is_text.then_some(place)
    }

    fn after(self, bytes: usize) -> Option<Self> {
        let bytes = u32::try_from(bytes).ok()?;
        Some(Self { start: self.start.checked_sub(bytes)?, end: self.end.checked_sub(bytes)? })
    }

    /// How many bytes of JSON it takes.
    pub(super) fn length(self) -> usize {
        self.range().len()
    }

    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// What stands there.
    pub(super) fn json(self, server: &str) -> &str {
        server.get(self.range()).unwrap_or_default()
    }

    /// The text that stands there.
    pub(super) fn text(self, server: &str) -> Cow<'_, str> {
        server.get(self.range()).and_then(text).unwrap_or_default()
    }

    /// The text that stands there without an escape; else none.
    pub(super) fn plain(self, server: &str) -> Option<&str> {
        plain(server.get(self.range())?)
    }
}

/// The value of a JSON text.
fn text(json: &str) -> Option<Cow<'_, str>> {
    plain(json).map(Cow::Borrowed).or_else(|| serde_json::from_str(json).ok().map(Cow::Owned))
}

/// The value of a JSON text that holds no escapes.
fn plain(json: &str) -> Option<&str> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    memchr::memchr(b'\\', inner.as_bytes()).is_none().then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_where_they_stand() {
        let server = r#"{"title":"A \"b\"","x":{"version":"0"},"name":"a/b","version":"1.0","description":"\u00e9"}"#;
        let outline = Outline::of(server).expect("it has a name and a version");
        assert_eq!((&*outline.name, &*outline.version), ("a/b", "1.0"));
        let Places { version, title, description } = outline.places;
        assert_eq!((version.plain(server), title.plain(server)), (Some("1.0"), None));
        assert_eq!((&*title.text(server), &*description.text(server)), ("A \"b\"", "é"));
        let bare = r#"{"name":"a\/b","version":"1"}"#;
        let outline = Outline::of(bare).expect("it has a name and a version");
        assert_eq!((&*outline.name, &*outline.places.title.text(bare)), ("a/b", ""));
        let known = Places::of(bare, &bare[bare.len() - 3..bare.len() - 2], None, None);
        assert_eq!(known, Some(outline.places));
        assert_eq!(Places::of(bare, "1", None, None), None, "it stands elsewhere");
    }

    #[test]
    fn what_follows_an_outline_is_left() {
        let (outline, server, rest) = Outline::of_first(r#"{"name":"a","version":"1"},"x":1}"#).expect("a server");
        assert_eq!((&*outline.name, outline.places.version.plain(server)), ("a", Some("1")));
        assert_eq!((server, rest), (r#"{"name":"a","version":"1"}"#, r#","x":1}"#));
        assert!(Outline::of_first(r#"["a","1"]"#).is_none());
    }

    #[test]
    fn what_is_no_server_has_no_outline() {
        for text in ["", "{", "[]", r#"{"name":"a"}"#, r#"{"name":"a","version":1}"#, r#"{"name":null,"version":"1"}"#]
        {
            assert!(Outline::of(text).is_none(), "{text}");
        }
    }
}
