//! JSON in its canonical form (RFC 8785), written straight from the tree.
//!
//! `serde_json_canonicalizer`, which does the same for anything that serialises, takes as long for an entry as all the
//! rest of decoding together: it writes every member for itself before it sorts them. It still writes the numbers,
//! which is the hard part of the standard, and is what the tests compare with.

use std::borrow::Cow;

use super::json::{Json, Members};

/// Objects of up to so many members are sorted without an allocation.
const SMALL_OBJECT: usize = 16;

/// Appends a value; of an object, all members but the one of this name.
pub(super) fn write_without(out: &mut Vec<u8>, value: &Json<'_>, left_out: &str) -> Result<(), serde_json::Error> {
    match value {
        Json::Object(members) => write_members(out, members, Some(left_out)),
        _ => write(out, value),
    }
}

fn write(out: &mut Vec<u8>, value: &Json<'_>) -> Result<(), serde_json::Error> {
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(true) => out.extend_from_slice(b"true"),
        Json::Bool(false) => out.extend_from_slice(b"false"),
        Json::Number(number) => serde_json_canonicalizer::to_writer(number, out)?,
        Json::Text(text) => write_text(out, text)?,
        Json::List(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(out, item)?;
            }
            out.push(b']');
        }
        Json::Object(members) => write_members(out, members, None)?,
    }
    Ok(())
}

#[expect(clippy::ptr_arg, reason = "that it is borrowed says that it needs no escapes")]
fn write_text(out: &mut Vec<u8>, text: &Cow<'_, str>) -> Result<(), serde_json::Error> {
    match text {
        // It stood between quotes without an escape, so none is needed.
        Cow::Borrowed(text) => {
            out.push(b'"');
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
            Ok(())
        }
        // Its escapes are the ones of the standard.
        Cow::Owned(text) => serde_json::to_writer(out, text),
    }
}

fn write_members(
    out: &mut Vec<u8>,
    Members(members): &Members<'_, Json<'_>>,
    left_out: Option<&str>,
) -> Result<(), serde_json::Error> {
    let (mut few, mut many) = ([0; SMALL_OBJECT], Vec::new());
    let order = if let Some(few) = few.get_mut(..members.len()) {
        few
    } else {
        many.resize(members.len(), 0);
        &mut many[..]
    };
    order.iter_mut().enumerate().for_each(|(at, place)| *place = at);
    sort(order, members);
    out.push(b'{');
    let mut is_first = true;
    for (key, value) in order.iter().map(|at| &members[*at]).filter(|(key, _)| left_out != Some(key)) {
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        write_text(out, key)?;
        out.push(b':');
        write(out, value)?;
    }
    out.push(b'}');
    Ok(())
}

/// Sorts the places of members by the UTF-16 of their keys.
fn sort(order: &mut [usize], members: &[(Cow<'_, str>, Json<'_>)]) {
    let key = |at: &usize| &*members[*at].0;
    if members.iter().all(|(key, _)| key.is_ascii()) {
        order.sort_unstable_by(|left, right| key(left).cmp(key(right)));
    } else {
        order.sort_unstable_by(|left, right| key(left).encode_utf16().cmp(key(right).encode_utf16()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::values;
    use super::*;

    fn canonical(text: &str) -> String {
        let tree: Json<'_> = serde_json::from_str(text).expect("JSON");
        let mut out = Vec::new();
        write_without(&mut out, &tree, "_meta").expect("it has a canonical form");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn members_are_sorted_by_their_utf_16_and_one_is_left_out() {
        let text =
            r#"{"\ud83d\ude00":1, "\ufb33":2, "é":3, "b":{"z":[], "_meta":4}, "a":1.0e2, "_meta":5, "":"\u000f/"}"#;
        let expected = "{\"\":\"\\u000f/\",\"a\":100,\"b\":{\"_meta\":4,\"z\":[]},\"é\":3,\"😀\":1,\"\u{fb33}\":2}";
        assert_eq!(canonical(text), expected);
    }

    /// Of what texts and keys are made: characters too that UTF-16 sorts otherwise than UTF-8.
    const TEXT: &str = "[a-c\u{1}-\u{20}\"\\\\é\u{7f}\u{e000}-\u{ffff}\u{10000}-\u{10010}]{0,4}";

    proptest! {
        #[test]
        fn the_form_is_the_one_of_the_standard(value in values(TEXT)) {
            let expected = serde_json_canonicalizer::to_string(&value).expect("it has a canonical form");
            prop_assert_eq!(canonical(&value.to_string()), expected);
        }
    }
}
