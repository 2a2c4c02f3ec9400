//! Which fields of an entry differ, as JSON Pointers (RFC 6901) into the entry as it is served.
//!
//! They are for people and filters: where there are many, or long ones, the parts that hold them are named instead.

use serde_json::{Map, Value};

use super::served;
use crate::catalog::Version;

/// The most fields that are named of one change.
pub const MAX_FIELDS: usize = 32;
/// The most bytes that their names may have together.
pub const MAX_FIELDS_BYTES: usize = 1 << 10;
/// Entries larger than this are not looked into.
const MAX_READ_BYTES: usize = 64 << 10;
/// How deep the parts are that are named in place of too many fields; the last always fits.
const DEPTHS: [usize; 4] = [usize::MAX, 3, 2, 1];

/// The fields in which two versions differ that are not served alike.
pub(super) fn between(was: &Version, is: &Version) -> Vec<Box<str>> {
    if MAX_READ_BYTES < was.served_length().max(is.served_length()) {
        let part = if was.entry.server() == is.entry.server() { "/_meta" } else { "/server" };
        return vec![part.into()];
    }
    let read = |version| serde_json::from_slice(&served(version)).ok();
    let Some((was, is)) = read(was).zip(read(is)) else { return vec!["".into()] };
    of_values(&was, &is)
}

fn of_values(was: &Value, is: &Value) -> Vec<Box<str>> {
    for depth in DEPTHS {
        let mut found = Found { depth, pointer: String::new(), fields: Vec::new(), bytes: 0 };
        if found.compare(was, is) {
            // The bytes differ, and no value does: a number is written otherwise, or a member stands twice.
            return if found.fields.is_empty() { vec!["".into()] } else { found.fields };
        }
    }
    vec!["".into()]
}

/// The fields that were found to differ, down to a depth.
struct Found {
    depth: usize,
    pointer: String,
    fields: Vec<Box<str>>,
    bytes: usize,
}

impl Found {
    /// Whether there is room for all that differs.
    fn compare(&mut self, was: &Value, is: &Value) -> bool {
        if was == is {
            return true;
        }
        match (was, is) {
            _ if self.depth == 0 => self.note(),
            (Value::Object(was), Value::Object(is)) => self.compare_members(was, is),
            (Value::Array(was), Value::Array(is)) if was.len() == is.len() => was
                .iter()
                .zip(is)
                .enumerate()
                .all(|(index, (was, is))| self.within(&index.to_string(), |found| found.compare(was, is))),
            _ => self.note(),
        }
    }

    fn compare_members(&mut self, was: &Map<String, Value>, is: &Map<String, Value>) -> bool {
        let removed = was.keys().filter(|key| !is.contains_key(*key));
        is.keys().chain(removed).all(|key| {
            self.within(key, |found| match (was.get(key), is.get(key)) {
                (Some(was), Some(is)) => found.compare(was, is),
                _ => found.note(),
            })
        })
    }

    fn within(&mut self, step: &str, compare: impl FnOnce(&mut Self) -> bool) -> bool {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
        self.depth -= 1;
        let has_room = compare(self);
        self.depth += 1;
        self.pointer.truncate(length);
        has_room
    }

    fn note(&mut self) -> bool {
        self.fields.push(self.pointer.as_str().into());
        self.bytes += self.pointer.len();
        self.fields.len() <= MAX_FIELDS && self.bytes <= MAX_FIELDS_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(was: &Value, is: &Value) -> Vec<String> {
        of_values(was, is).into_iter().map(String::from).collect()
    }

    #[test]
    fn what_differs_is_named_where_it_stands() {
        let was = json!({"server": {"a/b": 1, "m~n": [1, {"x": 1}], "gone": 1, "list": [1]}, "_meta": {}});
        let is = json!({"server": {"a/b": 2, "m~n": [1, {"x": 2}], "list": [1, 2], "new": null}, "_meta": {}});
        assert_eq!(
            fields(&was, &is),
            ["/server/a~1b", "/server/m~0n/1/x", "/server/list", "/server/new", "/server/gone"]
        );
        for field in fields(&was, &is) {
            assert_ne!(was.pointer(&field), is.pointer(&field), "{field}");
        }
        assert_eq!(fields(&was, &was), [""], "the bytes differ all the same");
    }

    #[test]
    fn parts_are_named_in_place_of_many_or_long_fields() {
        let many = |value: usize, count: usize| -> Value {
            json!({"server": {"packages": {"list": (0..count).map(|_| value).collect::<Vec<_>>()}}})
        };
        assert_eq!(fields(&many(1, MAX_FIELDS), &many(2, MAX_FIELDS)).len(), MAX_FIELDS);
        assert_eq!(fields(&many(1, MAX_FIELDS + 1), &many(2, MAX_FIELDS + 1)), ["/server/packages/list"]);
        let long = |value: usize| json!({"_meta": {"x".repeat(MAX_FIELDS_BYTES): value}});
        assert_eq!(fields(&long(1), &long(2)), ["/_meta"]);
    }
}
