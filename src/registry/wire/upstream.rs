//! The provenance block of a registry that is a proxy like ours: it moves to `upstream` in ours.

use serde_json::{Map, Value};

use super::json::Raw;

/// How many proxies deep provenance goes; what lies deeper is cut off.
const MAX_LEVELS: usize = 8;

/// The block as it is kept, if it is one.
pub(super) fn limit(block: Raw<'_>) -> Option<Box<str>> {
    let mut block: Map<String, Value> = serde_json::from_str(block.get()).ok()?;
    cut(&mut block, MAX_LEVELS);
    Some(Value::from(block).to_string().into())
}

fn cut(block: &mut Map<String, Value>, levels: usize) {
    match block.get_mut("upstream") {
        Some(Value::Object(inner)) if levels > 1 => cut(inner, levels - 1),
        Some(_) => {
            block.shift_remove("upstream");
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_levels_are_kept() {
        let levels = |text: &str| text.matches("registry").count();
        let nested = (0..20)
            .fold(String::from(r#"{"registry":"r"}"#), |inner, _| format!(r#"{{"registry":"r","upstream":{inner}}}"#));
        let raw = |text: &str| limit(Raw::of(text));
        assert_eq!(raw(&nested).as_deref().map(levels), Some(8));
        assert_eq!(raw(r#"{"b":1,"upstream":5,"a":2}"#).as_deref(), Some(r#"{"b":1,"a":2}"#));
        assert_eq!(raw("5"), None);
    }
}
