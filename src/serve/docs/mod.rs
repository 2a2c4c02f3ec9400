//! `/docs`: the API's description as a page for people, made once, when the proxy starts.
//!
//! The page is one HTML document that neither loads nor runs anything; its only style is inline, and the policy
//! that it is sent with names that style's digest. What is said here comes from the description alone.

mod description;
mod operation;
mod schema;
mod table;
mod text;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use description::{Description, text_of};

const STYLE: &str = include_str!("style.css");

/// What a browser may do with the page: show it, with its own style.
pub(super) fn policy() -> HeaderValue {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("base64 is text")
}

/// The page of a description.
pub(super) fn page(root: &Value) -> String {
    let description = Description::new(root);
    let info = &root["info"];
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (text_of(info, "title")) " · API" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                (masthead(info))
                div.columns {
                    nav aria-label="Contents" {
                        // Closed on narrow screens, where it would be all that the first one shows; the style keeps it
                        // open on wide ones.
                        details { summary { "Contents" } (contents(&description)) }
                    }
                    main #content { (sections(&description)) }
                }
            }
        }
    };
    markup.into_string()
}

fn masthead(info: &Value) -> Markup {
    html! {
        header.masthead {
            div {
                h1 { (text_of(info, "title")) }
                p.tagline { (text_of(info, "summary")) }
            }
            p.formats {
                "The same for programs: "
                a href="openapi.yaml" { "openapi.yaml" }
                " · "
                a href="openapi.json" { "openapi.json" }
            }
        }
    }
}

fn contents(description: &Description<'_>) -> Markup {
    html! {
        ul {
            li { a href="#about" { "About this API" } }
            @for tag in description.tags() {
                li {
                    a href={ "#" (text::slug(text_of(tag, "name"))) } { (text_of(tag, "name")) }
                    ul {
                        @for operation in description.operations_of(text_of(tag, "name")) {
                            li { a href={ "#" (operation.id()) } { (operation.summary()) } }
                        }
                    }
                }
            }
            li { a href="#everywhere" { "Every route" } }
            li {
                a href="#schemas" { "Schemas" }
                ul.names { @for (name, _) in description.schemas() { li { a href={ "#schema-" (name) } { (name) } } } }
            }
        }
    }
}

fn sections(description: &Description<'_>) -> Markup {
    html! {
        section aria-labelledby="about" {
            h2 #about { "About this API" }
            (text::blocks(text_of(&description.root["info"], "description")))
        }
        @for tag in description.tags() {
            @let id = text::slug(text_of(tag, "name"));
            section aria-labelledby=(id) {
                h2 id=(id) { (text_of(tag, "name")) }
                (text::blocks(text_of(tag, "description")))
                @for operation in description.operations_of(text_of(tag, "name")) {
                    (operation::article(description, &operation))
                }
            }
        }
        section aria-labelledby="everywhere" {
            h2 #everywhere { "Every route" }
            p { "Every route may also answer with these." }
            (operation::responses(description, &description.everywhere))
            (headers(description))
        }
        section aria-labelledby="schemas" {
            h2 #schemas { "Schemas" }
            @for (name, node) in description.schemas() { (schema::article(description, name, node)) }
        }
    }
}

/// All headers of answers; those that not every answer has are marked.
fn headers(description: &Description<'_>) -> Markup {
    let rows = description.headers().into_iter().map(|(name, node)| {
        let row = html! {
            (text::code(name))
            @if !description.is_on_every_answer(name) { span.note { "some answers" } }
        };
        [row, schema::value(&node["schema"]), schema::meaning(node)]
    });
    html! {
        h3 #headers { "Headers of answers" }
        p { "Any answer may have those without a mark. The others are named with the routes whose answers have them." }
        (table::table("Headers of answers", "fields", ["Header", "Value", "Meaning"], rows))
    }
}
