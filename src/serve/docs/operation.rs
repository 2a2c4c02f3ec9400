//! One operation: where it is, what may be asked, what is answered, how to try it.

use maud::{Markup, html};
use serde_json::Value;

use super::description::{Description, Operation, items, members, text_of};
use super::table::table;
use super::{schema, text};

/// The article of an operation.
pub(super) fn article(description: &Description<'_>, operation: &Operation<'_>) -> Markup {
    let (path, others) = operation.paths.split_first().expect("a route has a path");
    let id = operation.id();
    html! {
        article aria-labelledby=(id) {
            h3 id=(id) { (operation.summary()) }
            p.endpoint {
                @for method in &operation.methods { span class={ "method " (method) } { (method.to_ascii_uppercase()) } " " }
                (text::code(path))
            }
            @if !others.is_empty() {
                p.also { "Also at " @for (index, other) in others.iter().enumerate() {
                    @if index > 0 { " and " }
                    (text::code(other))
                } }
            }
            (text::blocks(text_of(operation.node, "description")))
            (parameters(description, operation))
            (request_body(operation))
            (responses(description, &own_responses(description, operation)))
            (also_everywhere(description))
            @for sample in items(operation.node, "x-codeSamples") { (example(sample)) }
        }
    }
}

fn parameters(description: &Description<'_>, operation: &Operation<'_>) -> Markup {
    let parameters: Vec<&Value> = operation.parameters().map(|parameter| description.resolve(parameter)).collect();
    if parameters.is_empty() {
        return html! {};
    }
    let rows = parameters.into_iter().map(|parameter| {
        let name = html! {
            (text::code(text_of(parameter, "name")))
            span.note { (text_of(parameter, "in")) @if parameter["required"] == true { ", required" } }
        };
        [name, schema::value(&parameter["schema"]), schema::meaning(parameter)]
    });
    table("Parameters", "fields", ["Name", "Value", "Meaning"], rows)
}

/// What is sent.
fn request_body(operation: &Operation<'_>) -> Markup {
    let wanted = &operation.node["requestBody"];
    let meaning = text_of(wanted, "description");
    let rows: Vec<_> = members(wanted, "content")
        .map(|(media_type, body)| [text::code(media_type), schema::value(&body["schema"]), text::inline(meaning)])
        .collect();
    if rows.is_empty() {
        html! {}
    } else {
        table("Body", "fields", ["Type", "Value", "Meaning"], rows)
    }
}

/// The answers that not every route has.
fn own_responses<'a>(description: &Description<'a>, operation: &Operation<'a>) -> Vec<(&'a str, &'a Value)> {
    operation.responses().filter(|response| !description.everywhere.contains(response)).collect()
}

/// The table of some answers.
pub(super) fn responses(description: &Description<'_>, responses: &[(&str, &Value)]) -> Markup {
    let rows = responses.iter().map(|(status, response)| {
        let response = description.resolve(response);
        let status = html! { code class={ "status s" (&status[..1]) } { (status) } };
        let meaning = html! {
            (text::inline(text_of(response, "description")))
            (own_headers(description, response))
        };
        [status, body(response), meaning]
    });
    table("Answers", "answers", ["Status", "Body", "Meaning"], rows)
}

fn body(response: &Value) -> Markup {
    let mut bodies = members(response, "content").peekable();
    html! {
        @if bodies.peek().is_none() { "none" }
        @for (media_type, body) in bodies {
            (text::code(media_type))
            @if body["schema"].get("$ref").is_some() { br; (schema::type_of(&body["schema"])) }
        }
    }
}

fn own_headers(description: &Description<'_>, response: &Value) -> Markup {
    let names: Vec<&str> = members(response, "headers").map(|(name, _)| name).collect();
    let own: Vec<&str> = names.into_iter().filter(|name| !description.is_on_every_answer(name)).collect();
    html! {
        @if !own.is_empty() {
            p.with {
                "With "
                @for (index, name) in own.iter().enumerate() {
                    @if index > 0 { ", " }
                    a href="#headers" { (text::code(name)) }
                }
            }
        }
    }
}

fn also_everywhere(description: &Description<'_>) -> Markup {
    html! {
        p.also {
            "And what "
            a href="#everywhere" { "every route" }
            " may answer: "
            @for (index, (status, _)) in description.everywhere.iter().enumerate() {
                @if index > 0 { ", " }
                (status)
            }
            "."
        }
    }
}

fn example(sample: &Value) -> Markup {
    let label = sample["label"].as_str().unwrap_or("Try it");
    html! {
        figure {
            figcaption { (label) }
            // It scrolls where the line is longer than the screen; a keyboard needs to get there.
            pre tabindex="0" aria-label=(label) { code { (text_of(sample, "source")) } }
        }
    }
}
