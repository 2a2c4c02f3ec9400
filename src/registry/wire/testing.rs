//! What the tests of this wing make up.

use proptest::prelude::*;
use serde_json::{Value, json};

/// Any JSON, with texts and keys of this pattern.
pub(super) fn values(text: &'static str) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    // Objects of more members than are compared with one another (`json`).
    leaf.prop_recursive(5, 40, 20, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(text, inner, 0..20)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
