//! `GET /status`: how the registries fare, for people. `/registries` says the same to programs, and more of it.

use jiff::Timestamp;
use maud::{Markup, html};

use super::super::registries::Summary;
use super::layout::Layout;
use super::parts::{Tone, ago, badge, facts, link};
use super::{Asset, Root, text};
use crate::registry::health::State;
use crate::registry::probe::StageView;

/// The page of these registries, as they are now.
pub(in crate::serve) fn page(registries: &[Summary<'_>], root: Root, now: Timestamp) -> String {
    let usable = registries.iter().filter(|registry| registry.usable).count();
    let content = html! {
        h1 { "Registries" }
        p.lead {
            @if usable == registries.len() { "All of them are in use. " }
            @else { (usable) " of " (registries.len()) " are in use; what only the others list is not shown. " }
            "Each is tested again and again; one that fails is dropped, and taken back when it recovers."
        }
        ul.cards.apart { @for registry in registries { li.card { (card(registry, root, now)) } } }
        p #said .out-of-sight role="status" {}
    };
    let layout =
        Layout { title: "Registries", root, tabs: root.tabs(), here: Some("Registries"), scripts: &[Asset::Script] };
    layout.document(&content)
}

fn card(registry: &Summary<'_>, root: Root, now: Timestamp) -> Markup {
    let time = |at: Option<Timestamp>| at.map(|at| ago(at, now));
    let refused = registry.refused.count;
    let all_refused = format!("{root}registries/{}", super::root::escaped(registry.name));
    html! {
        div.title-row {
            h2 { (text::name(registry.name)) }
            (state(registry.state))
            @if registry.usable { (badge(Tone::Good, "in use")) } @else { (badge(Tone::Careful, "not in use")) }
        }
        @if let Some(url) = &registry.url { p { (link(url)) } }
        @if let Some(error) = registry.last_error.as_ref().filter(|_| registry.state != State::Healthy) {
            p { "Last error, " (ago(error.at, now)) ": " (text::prose(&error.message)) }
        }
        @if let Some(check) = &registry.last_check { (stages(&check.stages)) }
        (facts([
            ("State since", time(Some(registry.since))),
            ("Last tested", time(registry.last_check.as_ref().map(|check| check.at))),
            ("Last read", time(registry.last_sync.as_ref().map(|sync| sync.finished_at))),
            ("List", Some(html! { (listing(registry.listing)) })),
            ("Lists", Some(html! {
                (text::count(registry.counts.servers, "server", "servers")) ", "
                (text::count(registry.counts.versions, "version", "versions"))
            })),
            ("Shown from here", Some(html! { (text::count(registry.counts.won, "version", "versions")) })),
            ("Refused", (refused > 0).then(|| html! {
                a href=(all_refused) { (text::count(refused, "entry", "entries")) }
            })),
            ("Held back", registry.held.as_ref().map(|held| html! {
                "a list of " (text::count(held.versions, "version", "versions")) " that lacks " (text::number(held.removed))
                ", since " (ago(held.since, now))
            })),
        ]))
    }
}

/// The badge of a state.
pub(in crate::serve) fn state(state: State) -> Markup {
    match state {
        State::Healthy => badge(Tone::Good, "healthy"),
        State::Starting => badge(Tone::Info, "starting"),
        State::Unhealthy => badge(Tone::Bad, "unhealthy"),
    }
}

/// The stages of a test, and why one failed.
pub(in crate::serve) fn stages(stages: &[StageView]) -> Markup {
    html! {
        ol.stages aria-label="Last test" {
            @for stage in stages {
                li {
                    @match stage.ok {
                        Some(true) => { (badge(Tone::Good, "passed")) },
                        Some(false) => { (badge(Tone::Bad, "failed")) },
                        None => { (badge(Tone::Plain, "not reached")) },
                    }
                    " " (stage.stage.as_str())
                    @if let Some(milliseconds) = stage.duration_ms { span.soft { " " (format!("{milliseconds:.1}")) " ms" } }
                    @if let Some(reason) = &stage.reason { p { (text::prose(reason)) } }
                }
            }
        }
    }
}

fn listing(listing: &str) -> &'static str {
    match listing {
        "complete" => "complete",
        "stored" => "from before the restart",
        "partial" => "being read",
        _ => "none yet",
    }
}
