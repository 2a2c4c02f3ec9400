//! A registry: as one of all, and on a page of its own.
//!
//! What changes by itself stands in parts that have `data-live` and an id: the script puts new ones in their place, and
//! never one that has the focus.

use jiff::Timestamp;
use maud::{Markup, html};

use super::super::super::pages::parts::{self, Tone, badge, notice};
use super::super::super::pages::{Root, text};
use super::super::super::registries::{HeldView, Summary};
use super::{plot, stages, syncing};
use crate::registry::health::State;

/// One of all registries.
pub(super) fn card(summary: &Summary<'_>, root: Root, now: Timestamp) -> Markup {
    let name = summary.name;
    html! {
        article.registry id={ "registry-" (name) } aria-labelledby={ "name-" (name) } {
            header {
                h2 id={ "name-" (name) } { a href={ (root) "dashboard/registries/" (name) } { (name) } }
                (standing(summary, now))
                @if let Some(url) = &summary.url { p.where { (place(url)) } }
            }
            (connection(summary, now))
            (listing(summary, now))
            (actions(summary, root))
            (troubles(summary, root, now))
        }
    }
}

/// How it stands, in badges; and since when.
pub(super) fn standing(summary: &Summary<'_>, now: Timestamp) -> Markup {
    let (tone, mark, state) = match summary.state {
        State::Healthy => (Tone::Good, "●", "Healthy"),
        State::Unhealthy => (Tone::Bad, "▲", "Unhealthy"),
        State::Starting => (Tone::Info, "○", "Starting"),
    };
    let served = match (summary.state, summary.usable) {
        (State::Healthy, true) => None,
        (State::Starting, true) => Some((Tone::Careful, "Served from the store")),
        (State::Unhealthy, true) => Some((Tone::Careful, "Served stale")),
        (_, false) => Some((Tone::Plain, "Not served")),
    };
    html! {
        p.standing id={ "standing-" (summary.name) } data-live="" {
            (badge(tone, html! { span aria-hidden="true" { (mark) " " } (state) }))
            @if let Some((tone, label)) = served { (badge(tone, label)) }
            @if summary.held.is_some() { (badge(Tone::Careful, "List held back")) }
            span.soft.small { "since " (parts::ago(summary.since, now)) }
        }
    }
}

/// Where it is: a link, where it is one; a file is its name.
pub(super) fn place(url: &str) -> Markup {
    match url.strip_prefix("file:") {
        Some(file) => html! { "File " (text::code(file)) },
        None => parts::link(url),
    }
}

/// The last test in its stages, and those before it.
pub(super) fn connection(summary: &Summary<'_>, now: Timestamp) -> Markup {
    let name = summary.name;
    html! {
        div.connection {
            div id={ "stages-" (name) } data-live="" {
                (stages::list(summary.last_check.as_ref()))
                p.when.soft.small {
                    @if let Some(check) = &summary.last_check { "Tested " (parts::ago(check.at, now)) "." }
                    @else { "Not tested yet." }
                }
            }
            div.trend id={ "trend-" (name) } data-live="" {
                (plot::figure(name, summary.checks.as_deref().unwrap_or_default(), now))
            }
        }
    }
}

/// Its walks, and what they brought.
pub(super) fn listing(summary: &Summary<'_>, now: Timestamp) -> Markup {
    html! {
        div.listing id={ "listing-" (summary.name) } data-live="" {
            (figures(summary))
            (syncing::lines(summary, now))
        }
    }
}

fn figures(summary: &Summary<'_>) -> Markup {
    let counts = &summary.counts;
    let figures = [
        ("Versions", counts.versions, true),
        ("Servers", counts.servers, true),
        ("Served", counts.won, true),
        ("Left out", counts.filtered, false),
        ("Refused", summary.refused.count, false),
    ];
    html! {
        dl.figures {
            @for (label, count, is_always_shown) in figures {
                @if is_always_shown || 0 < count { div { dt { (label) } dd { (text::number(count)) } } }
            }
        }
        @if summary.listing == "partial" { p.small { "A part of its list: the first walk is under way." } }
    }
}

/// What can be done with it. Without a script, each leads to the registry's page.
pub(super) fn actions(summary: &Summary<'_>, root: Root) -> Markup {
    let name = summary.name;
    let (refresh, done) = match summary.kind {
        "file" => ("Read again", "The file is read again."),
        _ => ("Refresh now", "A full walk was asked for."),
    };
    html! {
        div.actions {
            form method="post" action={ (root) "registries/" (name) "/test" } data-test=(name) {
                button type="submit" aria-describedby={ "name-" (name) } { "Test connection" }
            }
            form method="post" action={ (root) "registries/" (name) "/refresh" } data-refresh=(name) data-done=(done) {
                button type="submit" aria-describedby={ "name-" (name) } { (refresh) }
            }
            p.said role="status" id={ "said-" (name) } {}
        }
    }
}

/// What is wrong with it, and what is held back.
pub(super) fn troubles(summary: &Summary<'_>, root: Root, now: Timestamp) -> Markup {
    let is_well = summary.state == State::Healthy && summary.last_sync.as_ref().is_none_or(|sync| sync.ok);
    // What the stages say is said.
    let is_shown = |message: &str| {
        let stages = summary.last_check.iter().flat_map(|check| &check.stages);
        let mut reasons = stages.filter_map(|stage| stage.reason.as_deref());
        reasons.any(|reason| message.ends_with(reason))
    };
    let error =
        summary.last_error.as_ref().filter(|error| !is_well && summary.held.is_none() && !is_shown(&error.message));
    html! {
        div.troubles id={ "troubles-" (summary.name) } data-live="" {
            @if let Some(error) = error {
                p.trouble {
                    strong { "Last error" } " (" (parts::ago(error.at, now)) "): " (text::prose(&error.message))
                }
            }
            @if let Some(held) = &summary.held { (self::held(summary, held, root, now)) }
        }
    }
}

fn held(summary: &Summary<'_>, held: &HeldView, root: Root, now: Timestamp) -> Markup {
    let label = format!("Accept the list of {}", text::count(held.versions, "version", "versions"));
    let name = summary.name;
    notice(
        Tone::Careful,
        "A list is held back",
        &html! {
            p {
                "A full walk (" (parts::ago(held.since, now)) ") listed "
                (text::count(held.versions, "version", "versions")) " and "
                strong { "lacks " (text::number(held.removed)) } " of the " (text::number(summary.counts.versions))
                " that it listed before. Lists that collapse like this are mostly a fault of the registry, so what it \
                 listed before stays until its next scheduled full walk lists the same."
            }
            @let action = format!("{root}registries/{name}/refresh?accept=true");
            form method="post" action=(action) data-refresh=(name) data-done="The list is accepted." {
                button type="submit" { (label) }
            }
        },
    )
}
