//! In what two entries of one version differ, as JSON Pointers and both values: bounded in number and in size, so that
//! no registry can make an answer large.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::catalog::entry::Entry;

/// The most differences of one conflict that are shown; the others are counted.
pub(super) const MAX_OF_CONFLICT: usize = 32;
/// The most of them of one registry's listing, so that the next one has room too.
const MAX_OF_LISTING: usize = 16;
/// The longest value that is shown, in bytes of JSON.
const MAX_VALUE_BYTES: usize = 512;
/// The longest pointer that is shown, in bytes; what a longer one points to is counted.
const MAX_POINTER_BYTES: usize = 512;

/// In what a listing differs from the winner's.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Differences {
    /// The first of them, in the order in which the winner's content has its members.
    pub differences: Vec<Difference>,
    /// How many more there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub further_differences: usize,
}

/// One field that differs.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Where it stands in `server` (RFC 6901).
    pub pointer: String,
    /// What the winner has there; absent where it has nothing, or where that is too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub winner: Option<Value>,
    /// What the other one has there; absent where it has nothing, or where that is too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<Value>,
    /// Those of the two that are left out because they are long.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub too_long: Vec<&'static str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Differences {
    /// In what another entry differs from the winner's; `room` is how many differences the conflict may show yet.
    pub(super) fn between(winner: &Entry, other: &Entry, room: &mut usize) -> Self {
        let mut found = Finder { found: Self::default(), room: MAX_OF_LISTING.min(*room), pointer: String::new() };
        found.members(&content(winner), &content(other));
        *room -= found.found.differences.len();
        found.found
    }
}

/// What counts as content: `server` without its `_meta`.
fn content(entry: &Entry) -> Map<String, Value> {
    match serde_json::from_str(&entry.server()) {
        Ok(Value::Object(mut server)) => {
            // The others stay in their order.
            server.shift_remove("_meta");
            server
        }
        // The decoder takes nothing else.
        _ => Map::new(),
    }
}

struct Finder {
    found: Differences,
    room: usize,
    pointer: String,
}

impl Finder {
    fn members(&mut self, winner: &Map<String, Value>, other: &Map<String, Value>) {
        for (key, value) in winner {
            self.at(key, |this| this.values(Some(value), other.get(key)));
        }
        for (key, value) in other.iter().filter(|(key, _)| !winner.contains_key(*key)) {
            self.at(key, |this| this.values(None, Some(value)));
        }
    }

    fn values(&mut self, winner: Option<&Value>, other: Option<&Value>) {
        match (winner, other) {
            (Some(Value::Object(winner)), Some(Value::Object(other))) => self.members(winner, other),
            (Some(Value::Array(winner)), Some(Value::Array(other))) => {
                for index in 0..winner.len().max(other.len()) {
                    self.at(&index.to_string(), |this| this.values(winner.get(index), other.get(index)));
                }
            }
            (Some(winner), Some(other)) if is_equal(winner, other) => {}
            _ => self.differ(winner, other),
        }
    }

    /// Goes down to a member and comes back.
    fn at(&mut self, key: &str, look: impl FnOnce(&mut Self)) {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
        look(self);
        self.pointer.truncate(length);
    }

    fn differ(&mut self, winner: Option<&Value>, other: Option<&Value>) {
        if self.found.differences.len() == self.room || MAX_POINTER_BYTES < self.pointer.len() {
            self.found.further_differences += 1;
            return;
        }
        let is_long = |value: &Value| MAX_VALUE_BYTES < value.to_string().len();
        let sides = [("winner", winner), ("other", other)];
        let too_long = sides.iter().filter(|(_, value)| value.is_some_and(is_long)).map(|(side, _)| *side).collect();
        let shown = |value: Option<&Value>| value.filter(|value| !is_long(value)).cloned();
        let (pointer, winner, other) = (self.pointer.clone(), shown(winner), shown(other));
        self.found.differences.push(Difference { pointer, winner, other, too_long });
    }
}

/// Whether two values are the same content: a number is, however it is written.
fn is_equal(winner: &Value, other: &Value) -> bool {
    match (winner, other) {
        (Value::Number(winner), Value::Number(other)) => winner == other || winner.as_f64() == other.as_f64(),
        _ => winner == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn between(winner: &Value, other: &Value) -> Value {
        let mut finder = Finder { found: Differences::default(), room: MAX_OF_LISTING, pointer: String::new() };
        finder.values(Some(winner), Some(other));
        serde_json::to_value(finder.found).expect("JSON")
    }

    #[test]
    fn each_field_is_named_by_its_pointer_with_both_values() {
        let winner = json!({"title": "A", "packages": [{"version": "1"}, {"version": "2"}], "a/b~c": 1, "gone": null});
        let other = json!({"title": "B", "packages": [{"version": "1"}], "a/b~c": 2.5, "new": {"x": []}});
        let expected = json!({"differences": [
            {"pointer": "/title", "winner": "A", "other": "B"},
            {"pointer": "/packages/1", "winner": {"version": "2"}},
            {"pointer": "/a~1b~0c", "winner": 1, "other": 2.5},
            {"pointer": "/gone", "winner": null},
            {"pointer": "/new", "other": {"x": []}},
        ]});
        assert_eq!(between(&winner, &other), expected);
    }

    #[test]
    fn the_spelling_of_a_number_and_the_order_of_members_are_no_difference() {
        let read = |text: &str| serde_json::from_str(text).expect("JSON");
        assert_eq!(
            between(&read(r#"{"x":1,"y":[1.50]}"#), &read(r#"{"y":[15e-1],"x":1.0}"#)),
            json!({"differences": []})
        );
    }

    #[test]
    fn there_are_so_many_and_none_is_longer_than_allowed() {
        let many = |value: &str| (0..40).map(|number| (format!("k{number}"), json!(value))).collect::<Value>();
        let found = between(&many("a"), &many("b"));
        assert_eq!(found["differences"].as_array().map(Vec::len), Some(MAX_OF_LISTING));
        assert_eq!(found["furtherDifferences"], 24);
        let long = "x".repeat(MAX_VALUE_BYTES);
        let found = between(&json!({"k": long, "y": 1}), &json!({"k": "short", "y": [long]}));
        assert_eq!(
            found["differences"],
            json!([
                {"pointer": "/k", "other": "short", "tooLong": ["winner"]},
                {"pointer": "/y", "winner": 1, "tooLong": ["other"]},
            ])
        );
        let deep = "x".repeat(MAX_POINTER_BYTES);
        assert_eq!(
            between(&json!({&deep: 1}), &json!({&deep: 2})),
            json!({"differences": [], "furtherDifferences": 1})
        );
    }
}
