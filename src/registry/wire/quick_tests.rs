//! What is read in one pass is what is read otherwise, and what it should leave alone it does.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::json::compact;
use super::super::testing::values;
use super::*;

/// What is taken, to be looked at.
#[derive(Default)]
struct Taken {
    wrapped: Vec<(String, String)>,
    raw: Vec<String>,
}

/// The most bytes of an element here.
const MOST: usize = 64 << 10;

impl<'a> Take<'a> for Taken {
    fn max_element_size(&self) -> usize {
        MOST
    }

    fn take_known(&mut self, _text: &'a str) -> Option<usize> {
        None
    }

    fn take_wrapped(&mut self, element: Wrapped<'a>) {
        let parsed: Json<'_> = serde_json::from_str(element.text).expect("JSON");
        assert_eq!(parsed, element.server);
        assert!(parsed.depth() < MAX_DEPTH);
        assert_eq!(compact(element.text), element.text);
        let all: RawMembers<'_> = serde_json::from_str(element.raw.get()).expect("an object");
        let meta = all.get("_meta").map_or("{}", |meta| meta.get());
        let members: RawMembers<'_> = serde_json::from_str(meta).expect("an object");
        assert_eq!(members, element.meta.members);
        let block = members.get(OFFICIAL_KEY).filter(|block| block.get().starts_with('{'));
        let official: Option<RawMembers<'_>> = block.map(|block| serde_json::from_str(block.get()).expect("an object"));
        assert_eq!(official, element.meta.official);
        self.wrapped.push((element.text.to_owned(), meta.to_owned()));
    }

    fn take_raw(&mut self, element: Raw<'a>) {
        self.raw.push(element.get().to_owned());
    }
}

fn taken(document: &str) -> Option<(Taken, Option<String>)> {
    let mut taken = Taken::default();
    let Usual { next_cursor } = read(document.as_bytes(), &mut taken)?;
    Some((taken, next_cursor))
}

#[test]
fn of_what_is_too_large_no_tree_is_made() {
    let list = |bytes: usize| format!("[{}{{}}]", "{},".repeat(bytes / 3));
    for (bytes, is_read) in [(MOST / 2, true), (2 * MOST, false)] {
        for element in [
            format!(r#"{{"server":{{"a":{}}}}}"#, list(bytes)),
            format!(r#"{{"server":{{}},"_meta":{{"a":{}}}}}"#, list(bytes)),
        ] {
            let (found, _) = taken(&format!(r#"{{"servers":[{element}]}}"#)).expect("it is usual");
            assert_eq!((found.wrapped.len(), found.raw.len()), if is_read { (1, 0) } else { (0, 1) });
        }
        let document = format!(r#"{{"servers":[],"metadata":{{"a":{}}}}}"#, list(bytes));
        assert_eq!(taken(&document).is_some(), is_read, "then it is read the other way");
    }
}

#[test]
fn the_usual_page_is_read() {
    let server = r#"{"name":"a\/b","text":"\u00e9\\\"","list":[1,-2.5,true,false,null,[],{}]}"#;
    let meta = format!(r#"{{"{OFFICIAL_KEY}":{{"isLatest":true}},"x":[1]}}"#);
    let document = format!(
        "{{\"servers\":[{{\"server\":{server},\"_meta\":{meta}}},{{\"server\":{{}}}},5,{{\"server\":{{}},\"x\":1}}],\
         \"metadata\":{{\"nextCursor\":\"c\",\"count\":4}}}}\n"
    );
    let (found, cursor) = taken(&document).expect("it is usual");
    assert_eq!(found.wrapped, [(server.to_owned(), meta), ("{}".to_owned(), "{}".to_owned())]);
    assert_eq!(found.raw, ["5", r#"{"server":{},"x":1}"#]);
    assert_eq!(cursor.as_deref(), Some("c"));
    assert_eq!(taken(r#"{"servers":[]}"#).expect("it is usual").1, None);
}

#[test]
fn what_is_not_sound_is_left_alone() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let is_read = |server: &str, meta: &str| {
        let document = format!(r#"{{"servers":[{{"server":{server},"_meta":{meta}}}]}}"#);
        taken(&document).map(|(taken, _)| (taken.wrapped.len(), taken.raw.len()))
    };
    let within = |value: &str| format!(r#"{{"x":{value}}}"#);
    assert_eq!(is_read(&within(&deep(MAX_DEPTH - 2)), &within(&deep(MAX_DEPTH - 2))), Some((1, 0)));
    assert_eq!(is_read(&within(&deep(MAX_DEPTH - 1)), "{}"), Some((0, 1)));
    assert_eq!(is_read("{}", &within(&deep(MAX_DEPTH - 1))), Some((0, 1)));
    for odd in [r#"{"k":1,"k":2}"#, r#"{"k":1,"\u006b":2}"#, r#"{"k":"\ud800"}"#, r#"{"k":1e999}"#, r#"{"k": 1}"#] {
        assert_eq!(is_read(odd, "{}"), Some((0, 1)), "{odd}");
        assert_eq!(is_read("{}", odd), Some((0, 1)), "{odd}");
    }
    for broken in [r#"{"k":01}"#, r#"{"k":"\x"}"#, "{\"k\":\"\n\"}", r#"{"k":tru}"#, r#"{"k"}"#, r#"{"k":1,}"#, "{"] {
        assert_eq!(is_read(broken, "{}"), None, "{broken}");
    }
}

#[test]
fn another_document_is_left_alone() {
    for document in [
        "",
        "[]",
        "{}",
        r#" {"servers":[]}"#,
        r#"{"servers":[]} x"#,
        r#"{"servers":{}}"#,
        r#"{"servers":[],"servers":[]}"#,
        r#"{"servers":[],"metadata":null}"#,
        r#"{"servers":[],"metadata":{"nextCursor":5}}"#,
        r#"{"servers":[],"metadata":{},"metadata":{}}"#,
        r#"{"servers":[],"next":"n"}"#,
        r#"{"servers":[5"#,
        r#"{"servers":[5,]}"#,
    ] {
        assert!(taken(document).is_none(), "{document}");
    }
    let cut = r#"{"servers":[{"server":{"name":"é"},"_meta":{}}],"metadata":{"nextCursor":"c"}}"#;
    for end in (0..cut.len()).filter(|end| cut.is_char_boundary(*end)) {
        assert!(taken(&cut[..end]).is_none(), "{end}");
    }
}

/// Of what texts and keys are made.
const TEXT: &str = "[a-c\u{1}-\u{20}\"\\\\é\u{7f}\u{10000}]{0,12}";

proptest! {
    #[test]
    fn whatever_is_read_is_what_is_read_otherwise(values in prop::collection::vec(values(TEXT), 0..4)) {
        let elements: Vec<Value> = values
            .into_iter()
            .map(|value| if value.is_object() { json!({"server": value.clone(), "_meta": value}) } else { value })
            .collect();
        let document = json!({ "servers": elements }).to_string();
        let (taken, _) = taken(&document).expect("it is usual");
        prop_assert_eq!(taken.wrapped.len(), elements.iter().filter(|it| it.is_object()).count());
        prop_assert_eq!(taken.wrapped.len() + taken.raw.len(), elements.len());
    }

    #[test]
    fn the_end_of_a_plain_text_is_found(text in "[ -~é\u{1}\"\\\\\u{7f}\u{ff}\u{10ffff}]{0,40}", at in 0_usize..8) {
        let bytes = text.as_bytes();
        let expected = bytes.iter().skip(at).position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).map(|it| at + it);
        prop_assert_eq!(end_of_plain(bytes, at), expected.filter(|_| at <= bytes.len()));
    }
}
