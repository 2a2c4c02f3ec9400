//! Schemas: a table of fields for each, and a value's type and bounds in a few words.

use maud::{Markup, html};
use serde_json::Value;

use super::description::{Description, items, members, text_of};
use super::table::table;
use super::text;

/// A field, with the path that leads to it where it lies deeper.
struct Field<'a> {
    path: String,
    node: &'a Value,
    is_required: bool,
}

/// The article of a named schema.
pub(super) fn article(description: &Description<'_>, name: &str, node: &Value) -> Markup {
    let mut fields = Vec::new();
    collect(node, "", &mut fields);
    let rows = fields.iter().map(|field| {
        let name = html! {
            (text::code(&field.path))
            @if !field.is_required { span.note { "optional" } }
        };
        [name, value(field.node), meaning(description.resolve(field.node))]
    });
    html! {
        article aria-labelledby={ "schema-" (name) } {
            h3 id={ "schema-" (name) } { (name) }
            (text::blocks(text_of(node, "description")))
            (table("Fields", "fields", ["Field", "Value", "Meaning"], rows))
        }
    }
}

/// The fields of an object; those of objects in it that have no name of their own follow theirs.
fn collect<'a>(node: &'a Value, prefix: &str, fields: &mut Vec<Field<'a>>) {
    for (name, child) in members(node, "properties") {
        let path = format!("{prefix}{name}");
        let is_required = items(node, "required").any(|required| required == name);
        fields.push(Field { path: path.clone(), node: child, is_required });
        collect(child, &format!("{path}."), fields);
        collect(&child["items"], &format!("{path}[]."), fields);
    }
}

/// A value's type, default and bounds.
pub(super) fn value(node: &Value) -> Markup {
    let bounds = bounds(node);
    html! {
        (type_of(node))
        @if let Some(default) = node.get("default") { span.note { "default " (text::code(&plain(default))) } }
        @for bound in bounds { span.note { (bound) } }
        @if node.get("enum").is_some() { span.note { "one of " (values(&node["enum"])) } }
        @if let Some(only) = node.get("const") { span.note { "always " (text::code(&plain(only))) } }
    }
}

/// What a parameter, a header or a field is for, with examples of it.
pub(super) fn meaning(node: &Value) -> Markup {
    let own = node.get("example").into_iter().chain(items(node, "examples"));
    let examples = own.chain(node["schema"].get("example")).chain(items(&node["schema"], "examples"));
    html! {
        (text::inline(text_of(node, "description")))
        @for example in examples { " " span.example { "Example: " (text::code(&plain(example))) } }
    }
}

/// A value's type; a named one is a link.
pub(super) fn type_of(node: &Value) -> Markup {
    if let Some(name) = node["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return html! { a href={ "#schema-" (name) } { (name) } };
    }
    match &node["type"] {
        Value::String(name) if name == "array" => html! { "array of " (type_of(&node["items"])) },
        Value::String(_) if node["additionalProperties"].is_object() => {
            html! { "map of " (type_of(&node["additionalProperties"])) }
        }
        Value::String(_) if node["format"] == "date-time" => html! { "time (RFC 3339)" },
        Value::String(name) => html! { (name) },
        Value::Array(names) => html! { (names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")) },
        _ => html! { "any" },
    }
}

/// What a value must keep to, in words.
fn bounds(node: &Value) -> Vec<String> {
    let number = |key: &str| node.get(key).filter(|bound| bound.is_number());
    let range = match (number("minimum"), number("maximum")) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}")),
        (Some(least), None) => Some(format!("{least} or more")),
        (None, Some(most)) => Some(format!("at most {most}")),
        (None, None) => None,
    };
    let length = match (number("minLength").and_then(Value::as_u64), number("maxLength")) {
        (Some(_), None) => Some("not empty".to_owned()),
        (_, Some(most)) => Some(format!("at most {most} characters")),
        (None, None) => None,
    };
    let count = number("maxItems").map(|most| match number("minItems") {
        Some(least) if least == most => format!("{most} items"),
        _ => format!("at most {most} items"),
    });
    let pattern = node["pattern"].as_str().map(|pattern| format!("matches {pattern}"));
    [range, length, count, pattern].into_iter().flatten().collect()
}

/// A few values, as code.
fn values(list: &Value) -> Markup {
    html! {
        @for (index, value) in list.as_array().into_iter().flatten().enumerate() {
            @if index > 0 { ", " }
            (text::code(&plain(value)))
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
