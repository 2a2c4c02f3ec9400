//! The first page: all registries, what is wrong with the proxy itself, and what happened last.

use maud::{Markup, html};

use super::super::super::pages::parts::{self, Tone, facts, notice};
use super::super::super::pages::text;
use super::{Board, Ground, changes, registry};
use crate::registry::health::State;

/// How many of the last changes are shown.
const CHANGES: usize = 8;
/// How much of a commit is shown.
const COMMIT_DIGITS: usize = 12;

/// The content of the page.
pub(super) fn content(board: &Board<'_>) -> Markup {
    html! {
        div.title-row {
            h1 { "Registries" }
            p.soft id="summary" data-live="" { (summary(board)) }
        }
        p.out-of-sight id="said" role="status" {}
        p.lost id="lost" role="status" {}
        div id="notices" data-live="" { (notices(board)) }
        div.registries id="registries" {
            @if board.registries.is_empty() {
                (parts::empty("No registry is configured", &html! {
                    p { "Add one to the configuration; it is read again by itself." }
                }))
            }
            @for summary in &board.registries { (registry::card(summary, board.ground.root, board.ground.now)) }
        }
        div.columns {
            section aria-labelledby="happened" {
                div.heading {
                    h2 #happened { "Last changes" }
                    p { a href={ (board.ground.root) "dashboard/changes" } { "All changes" } }
                }
                div id="changes" data-live="" { (changes::newest(board.ground, CHANGES)) }
            }
            section.side aria-labelledby="proxy" {
                div.card { h2 #proxy { "This proxy" } div id="facts" data-live="" { (about(board)) } }
            }
        }
    }
}

/// How many registries there are, and how they stand.
fn summary(board: &Board<'_>) -> Markup {
    let count = |state: State| board.registries.iter().filter(|summary| summary.state == state).count();
    let states = [(State::Unhealthy, "unhealthy"), (State::Starting, "starting"), (State::Healthy, "healthy")];
    let counts: Vec<String> = states
        .into_iter()
        .filter_map(|(state, label)| Some((count(state), label)).filter(|(count, _)| 0 < *count))
        .map(|(count, label)| format!("{count} {label}"))
        .collect();
    html! {
        (counts.join(", ")) " · serving "
        (text::count(board.ground.catalog.servers().len(), "server", "servers")) " in "
        (text::count(board.ground.catalog.versions(), "version", "versions"))
    }
}

/// What is wrong with the proxy itself.
fn notices(board: &Board<'_>) -> Markup {
    let configuration = board.configuration;
    html! {
        @if !board.is_ready {
            (notice(Tone::Info, "Starting", &html! {
                p { "Not every registry has been tried yet. What is served so far may be a part." }
            }))
        }
        @if let Some(refused) = &configuration.refused {
            (notice(Tone::Bad, "A changed configuration was refused", &html! {
                p { "The one before it stays in effect. Refused " (parts::ago(refused.at, board.ground.now)) ":" }
                ul { @for line in refused.detail.lines() { li { (text::prose(line)) } } }
            }))
        }
        @if !configuration.pending.is_empty() {
            (notice(Tone::Info, "Some keys wait for a restart", &html! {
                p { "They have changed and take effect with the next start: "
                    @for (index, key) in configuration.pending.iter().enumerate() {
                        @if index > 0 { ", " } (text::code(key))
                    }
                    "."
                }
            }))
        }
        @if let Some(store) = board.store.as_ref().filter(|store| store.is_failing) {
            (notice(Tone::Bad, "The store cannot be written", &html! {
                p { "After a restart the proxy would have an older list, or none, until each registry has been walked." }
                ul { @for problem in &store.failing { li { (text::prose(problem)) } } }
            }))
        }
        @if board.is_ready && !board.ground.catalog.is_available() {
            (notice(Tone::Bad, "No registry is usable", &html! {
                p { "Clients are answered with 503 until one is." }
            }))
        }
    }
}

fn about(board: &Board<'_>) -> Markup {
    let Ground { catalog, now, .. } = board.ground;
    let store = board.store.as_ref().map(|store| {
        html! {
            @match store.last_write {
                Some(at) => { "Written " (parts::ago(at, board.ground.now)) }
                None => { "Nothing written yet" }
            }
        }
    });
    let build = html! {
        (env!("CARGO_PKG_VERSION"))
        @if let Some(commit) = commit(env!("BUILD_COMMIT")) { " (" (text::code(commit)) ")" }
    };
    facts([
        ("Version", Some(build)),
        ("Started", Some(parts::ago(board.started_at, board.ground.now))),
        ("Configuration", Some(html! { "Read " (parts::ago(board.configuration.loaded_at, board.ground.now)) })),
        (
            "Catalog",
            Some(html! {
                "Revision " (catalog.revision) ", published " (parts::ago(catalog.published_at, now))
            }),
        ),
        ("Store", store.or_else(|| Some(html! { "None on this disk" }))),
    ])
}

/// The commit that a build is of, as short as people write it; none where nobody knew it (`build.rs`).
fn commit(commit: &str) -> Option<&str> {
    (commit != "unknown").then(|| commit.get(..COMMIT_DIGITS).unwrap_or(commit))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_commit_is_short_or_unknown() {
        assert_eq!(super::commit("unknown"), None);
        assert_eq!(super::commit("abc"), Some("abc"));
        assert_eq!(super::commit("0123456789abcdef0123456789abcdef01234567"), Some("0123456789ab"));
    }
}
