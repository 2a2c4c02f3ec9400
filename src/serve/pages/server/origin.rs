//! Where a version comes from: the provenance that its entry is served with, for people.

use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

use super::super::parts::{Tone, badge, date, facts, link};
use super::super::{Root, text};
use crate::catalog::Version;

/// The deepest provenance that is shown. It is cut there when it is read, too.
const MAX_LEVELS: usize = 8;

/// The section of a version's provenance.
pub(super) fn section(version: &Version, root: Root) -> Markup {
    let provenance = version.provenance();
    let upstream: Vec<&Value> = std::iter::successors(provenance.get("upstream"), |inner| inner.get("upstream"))
        .filter(|inner| inner.is_object())
        .take(MAX_LEVELS)
        .collect();
    let also_in: Vec<&str> = provenance["alsoIn"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    html! {
        section.card aria-labelledby="origin" {
            h2 #origin { "Where it comes from" }
            (facts([
                ("Registry", text_of(&provenance, "registry").map(|name| html! { a href={ (root) "status" } { (text::name(name)) } })),
                ("At", text_of(&provenance, "url").map(link)),
                ("In this form since", text_of(&provenance, "fetchedAt").map(day)),
                ("Also in", (!also_in.is_empty()).then(|| html! {
                    @for (index, name) in also_in.iter().enumerate() { @if index > 0 { ", " } (text::name(name)) }
                    " "
                    @if provenance["divergent"] == true { (badge(Tone::Careful, "with other content")) }
                    @else { (badge(Tone::Good, "with the same content")) }
                })),
                ("SHA-256 of its content", text_of(&provenance, "sha256").map(text::code)),
                ("Passed on by", (!upstream.is_empty()).then(|| chain(&upstream))),
            ]))
        }
    }
}

/// The registries behind a registry that is a proxy.
fn chain(upstream: &[&Value]) -> Markup {
    html! {
        ol.plain {
            @for level in upstream {
                li {
                    "from " (text::name(text_of(level, "registry").unwrap_or("another registry")))
                    @if let Some(url) = text_of(level, "url") { ", " (link(url)) }
                    @if let Some(at) = text_of(level, "fetchedAt") { ", " (day(at)) }
                }
            }
        }
    }
}

fn text_of<'a>(block: &'a Value, key: &str) -> Option<&'a str> {
    block.get(key)?.as_str().filter(|text| !text.is_empty())
}

fn day(text: &str) -> Markup {
    text.parse::<Timestamp>().map_or_else(|_| text::name(text), date)
}
