//! JSON as a borrowed tree that refuses duplicate keys: readers disagree on which of two counts, so
//! an object that has a key twice means different things to different clients.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use memchr::{memchr, memchr2};
use serde::de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Number;
use serde_json::value::RawValue;

/// A JSON value that borrows its texts where they hold no escapes.
#[derive(Debug, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Self>),
    Object(Members<'a, Self>),
}

impl Json<'_> {
    /// The name of the value's type, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// How many levels of arrays and objects there are.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or_default(),
            Self::Object(members) => 1 + members.iter().map(|(_, value)| value.depth()).max().unwrap_or_default(),
            _ => 0,
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.get(key),
            _ => None,
        }
    }
}

/// The members of an object in the order in which they came, no key twice.
#[derive(Debug, PartialEq)]
pub(super) struct Members<'a, V>(pub(super) Vec<(Cow<'a, str>, V)>);

/// An object whose values are left as they came.
pub(super) type RawMembers<'a> = Members<'a, Raw<'a>>;

/// A value that is left as it came: one whole JSON value, without white space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// A text that has been read as one value.
    pub(super) fn of(json: &'a str) -> Self {
        Self(json)
    }

    /// Its text.
    pub(super) fn get(self) -> &'a str {
        self.0
    }

    /// The text that it is, if it is one.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if memchr(b'\\', inner.as_bytes()).is_none() {
            return Some(inner.into());
        }
        serde_json::from_str(self.0).ok().map(Cow::Owned)
    }
}

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|raw| Self(raw.get()))
    }
}

impl<V> Members<'_, V> {
    pub(super) fn empty() -> Self {
        Self(Vec::new())
    }

    pub(super) fn get(&self, key: &str) -> Option<&V> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }
}

/// The most elements of one list: the most versions of one registry.
pub(super) const MAX_ELEMENTS: usize = 2_000_000;

/// The elements of an array, left as they came.
pub(super) struct Elements<'a>(pub(super) Vec<Raw<'a>>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ElementsVisitor;
        impl<'de> Visitor<'de> for ElementsVisitor {
            type Value = Elements<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = items.next_element()? {
                    if elements.len() == MAX_ELEMENTS {
                        return Err(A::Error::custom(format_args!("more than {MAX_ELEMENTS} elements")));
                    }
                    elements.push(element);
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(ElementsVisitor)
    }
}

/// The type of a raw value, for messages.
pub(super) fn kind_of(raw: Raw<'_>) -> &'static str {
    match raw.get().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// The value of a raw JSON value that is of the given type.
pub(super) fn value_of<T: DeserializeOwned>(raw: Raw<'_>) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// JSON without the white space between its tokens; everything else stays as it is.
pub(super) fn compact(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let mut compact = String::new();
    let (mut kept, mut at) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_text(bytes, at + 1),
            b' ' | b'\t' | b'\n' | b'\r' => {
                compact.push_str(&json[kept..at]);
                at += 1;
                kept = at;
            }
            _ => at += 1,
        }
    }
    if kept == 0 {
        return json.into();
    }
    compact.push_str(&json[kept..]);
    compact.into()
}

/// Where a text ends of which one character begins here: after its closing quote.
pub(super) fn end_of_text(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        match bytes[at + found] {
            b'"' => return at + found + 1,
            _ => at += found + 2,
        }
    }
    bytes.len()
}

struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// Most objects of an entry have no more members than this.
const USUAL_OBJECT: usize = 8;
/// Up to this many members, keys are compared with one another; above it, they are hashed.
const SMALL_OBJECT: usize = 16;

/// The members of an object while they are read.
pub(super) struct Growing<'a, V> {
    members: Vec<(Cow<'a, str>, V)>,
    /// The keys of a large one.
    seen: HashSet<Cow<'a, str>>,
}

impl<'a, V> Growing<'a, V> {
    pub(super) fn new() -> Self {
        Self { members: Vec::new(), seen: HashSet::new() }
    }

    /// Whether there was no such key before.
    pub(super) fn is_new(&self, key: &str) -> bool {
        if self.members.len() <= SMALL_OBJECT {
            self.members.iter().all(|(known, _)| known != key)
        } else {
            !self.seen.contains(key)
        }
    }

    pub(super) fn push(&mut self, key: Cow<'a, str>, value: V) {
        if self.members.is_empty() {
            self.members.reserve(USUAL_OBJECT);
        }
        if self.members.len() == SMALL_OBJECT {
            self.seen.extend(self.members.iter().map(|(known, _)| known.clone()));
        }
        if SMALL_OBJECT <= self.members.len() {
            self.seen.insert(key.clone());
        }
        self.members.push((key, value));
    }

    pub(super) fn finish(self) -> Members<'a, V> {
        Members(self.members)
    }
}

fn read_members<'de, V, A>(mut map: A) -> Result<Members<'de, V>, A::Error>
where
    V: Deserialize<'de>,
    A: MapAccess<'de>,
{
    let mut members = Growing::new();
    while let Some(Key(key)) = map.next_key()? {
        if !members.is_new(&key) {
            let shown: String = key.chars().take(40).flat_map(char::escape_debug).collect();
            return Err(A::Error::custom(format_args!("duplicate key `{shown}`")));
        }
        members.push(key, map.next_value()?);
    }
    Ok(members.finish())
}

impl<'de> Deserialize<'de> for RawMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = RawMembers<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                read_members(map)
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        read_members(map).map(Json::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_keys_are_refused_at_any_depth_and_size() {
        let many: Vec<String> = (0..40).map(|index| format!("\"k{index}\":0")).collect();
        let many = format!("{},", many.join(","));
        for text in [r#"{"a":1,"a":2}"#, r#"{"x":[{"b":1,"\u0062":2}]}"#, &format!("{{{many}\"k7\":1}}")] {
            let error = serde_json::from_str::<Json<'_>>(text).expect_err("a duplicate");
            assert!(error.to_string().contains("duplicate key"), "{error}");
        }
        assert!(serde_json::from_str::<Json<'_>>(&format!("{{{many}\"z\":1}}")).is_ok());
    }

    #[test]
    fn compacting_leaves_texts_alone() {
        let compacted = compact("{ \"a b\" :\t\"c \\\" d\\\\\" ,\r\n\"e\": [ 1 , 2.50 ] }");
        assert_eq!(compacted, r#"{"a b":"c \" d\\","e":[1,2.50]}"#);
        // Whatever it is given, it comes to an end.
        for (json, expected) in [("", ""), (" ", ""), ("\" ", "\" "), ("\"\\", "\"\\"), ("\"é\\\" \" 1", "\"é\\\" \"1")]
        {
            assert_eq!(compact(json), expected);
        }
    }
}
