//! In what registries differ over a name, for people. `/conflicts` says the same to programs.

use maud::{Markup, html};

use super::super::parts::{Tone, badge, date, difference, table};
use super::super::root::escaped;
use super::super::{Root, text};
use crate::catalog::{Catalog, Server};
use crate::inspect::conflicts::{Conflict, Content, Differences, Latest, Refused, of_server};

/// The most conflicts of a name that a page tells.
const MAX_CONFLICTS: usize = 10;

/// The section of a name's conflicts; nothing where there are none.
pub(super) fn section(catalog: &Catalog, server: &Server, root: Root) -> Markup {
    let (conflicts, further) = of_server(catalog, server, MAX_CONFLICTS);
    if conflicts.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="conflicts" {
            h2 #conflicts { "Where registries disagree" }
            ul.cards {
                @for conflict in &conflicts {
                    li.card {
                        @match conflict {
                            Conflict::Content(content) => { (of_content(content)) },
                            Conflict::Latest(latest) => { (of_latest(latest)) },
                            Conflict::Refused(refused) => { (of_refused(refused)) },
                        }
                    }
                }
            }
            @if further > 0 {
                p { a href={ (root) "conflicts?name=" (escaped(server.name.as_str())) } { "And " (text::number(further)) " more, as JSON" } }
            }
        }
    }
}

fn of_content(content: &Content<'_>) -> Markup {
    html! {
        h3 { "Version " (text::name(content.version)) " differs" }
        p { "Shown is what " (text::name(content.winner)) " lists: " (content.reason) "." }
        @for listing in &content.listings {
            @if let Some(differences) = &listing.differences { (of_listing(content.winner, listing.registry, differences)) }
        }
    }
}

fn of_listing(winner: &str, other: &str, differences: &Differences) -> Markup {
    let rows = differences.differences.iter().map(difference);
    html! {
        @if differences.differences.is_empty() {
            p { (text::name(other)) " lists it with other content." }
        } @else {
            (table(&format!("{winner} and {other}"), ["Where", "Shown", "The other has"], rows))
        }
        @if differences.further_differences > 0 { p { "And " (text::number(differences.further_differences)) " more." } }
    }
}

fn of_latest(latest: &Latest<'_>) -> Markup {
    html! {
        h3 { "The latest version comes from another registry" }
        p {
            "Version " (text::name(latest.version)) " is from " (text::name(latest.registry)) ", published " (date(latest.published_at)) ". "
            "Earlier ones are not:"
        }
        ul {
            @for earlier in &latest.earlier {
                li {
                    (text::count(earlier.versions, "version", "versions")) " from " (text::name(earlier.registry)) ", up to "
                    (text::name(earlier.latest)) " of " (date(earlier.published_at))
                }
            }
        }
    }
}

fn of_refused(refused: &Refused<'_>) -> Markup {
    html! {
        h3 { "Refused: " (text::name(refused.registry)) " lists version " (text::name(refused.version)) " " (badge(Tone::Careful, "not shown")) }
        p {
            "The name belongs to a namespace that only these claim: "
            @for (index, name) in refused.claimed_by.iter().enumerate() { @if index > 0 { ", " } (text::name(name)) } "."
        }
    }
}
