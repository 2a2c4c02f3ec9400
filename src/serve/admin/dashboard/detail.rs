//! The page of one registry: its last test and those before it, its walks, what it lists and what of that is refused,
//! and how it is set up.

use std::sync::Arc;

use jiff::Timestamp;
use maud::{Markup, html};

use super::super::super::pages::parts::{self, facts};
use super::super::super::pages::{Root, text};
use super::super::super::registries::{PastCheckView, Summary};
use super::{Board, plot, registry, stages};
use crate::registry::Registry;
use crate::registry::health::WhenUnhealthy;
use crate::registry::wire::Refused;

/// How many of the last tests are listed.
const TESTS: usize = 10;
/// How many refused entries are listed. `/registries/{name}` has a thousand.
const REFUSED: usize = 200;
/// How many of the servers are named that a list that is held back lacks.
const GONE: usize = 20;

/// The content of the page.
pub(super) fn content(board: &Board<'_>, registry: &Registry, summary: &Summary<'_>, entries: &[Refused]) -> Markup {
    let (root, now, name) = (board.ground.root, board.ground.now, summary.name);
    html! {
        p.crumbs { a href=(root) { "All registries" } }
        div.title-row { h1 id={ "name-" (name) } { (name) } (registry::standing(summary, now)) }
        @if let Some(url) = &summary.url { p.where { (registry::place(url)) } }
        p.out-of-sight id="said" role="status" {}
        p.lost id="lost" role="status" {}
        (registry::actions(summary, root))
        (registry::troubles(summary, root, now))
        (gone(registry, root, name))
        div.columns {
            div {
                h2 { "Connection" }
                (registry::connection(summary, now))
                div id="tests" data-live="" { (tests(summary.checks.as_deref().unwrap_or_default(), now)) }
                h2 { "List" }
                (registry::listing(summary, now))
                div id="refused" data-live="" { (refused(summary, entries, root)) }
            }
            section.side aria-labelledby="settings" {
                div.card { h2 #settings { "Settings" } (settings(registry, summary)) }
            }
        }
    }
}

fn tests(checks: &[PastCheckView], now: Timestamp) -> Markup {
    let rows = checks.iter().rev().take(TESTS).map(|check| {
        let outcome = match check.failed {
            None => html! { "✓ passed" },
            Some(stage) => html! { strong { "✕ failed: " (stages::label(stage).to_lowercase()) } },
        };
        [parts::ago(check.at, now), outcome, html! { (plot::milliseconds(check.duration_ms)) }]
    });
    html! { @if 1 < checks.len() { (parts::table("Last tests", ["When", "Outcome", "Took"], rows)) } }
}

/// What is held back, by example: the first of the servers that it lacks.
fn gone(registry: &Registry, root: Root, name: &str) -> Markup {
    let lists = {
        let status = registry.status();
        status.held.as_ref().map(|held| Arc::clone(&held.listing)).zip(status.listing.clone())
    };
    let gone: Vec<&str> = lists.as_ref().map_or_else(Vec::new, |(held, listing)| {
        let names = listing.servers.iter().map(|listed| listed.name.as_str());
        names.filter(|name| held.server(name).is_none()).take(GONE + 1).collect()
    });
    html! {
        div.gone id={ "gone-" (name) } data-live="" {
            @if !gone.is_empty() {
                p { "Among the servers that the list held back lacks:" }
                ul.names {
                    @for name in gone.iter().take(GONE) {
                        li { a href=(root.to_server(name, None)) { (text::code(name)) } }
                    }
                    @if GONE < gone.len() { li.soft { "and more" } }
                }
            }
        }
    }
}

fn refused(summary: &Summary<'_>, entries: &[Refused], root: Root) -> Markup {
    let rows = entries.iter().take(REFUSED).map(|entry| {
        let name = entry.name.as_deref().map_or_else(|| html! { span.soft { "without a name" } }, text::code);
        [name, text::name(entry.version.as_deref().unwrap_or_default()), text::prose(&entry.reason)]
    });
    html! {
        @if !entries.is_empty() {
            h2 { "Refused entries" }
            (parts::table("Entries that are not served", ["Server", "Version", "Why"], rows))
            @if REFUSED < summary.refused.count {
                p.small {
                    "These are the first " (text::number(entries.len().min(REFUSED))) " of "
                    (text::number(summary.refused.count)) ". "
                    a href={ (root) "registries/" (summary.name) } { "More of them as JSON" }
                }
            }
        }
    }
}

fn settings(registry: &Registry, summary: &Summary<'_>) -> Markup {
    let settings = registry.settings();
    let (health, is_http) = (&settings.health, !registry.is_file());
    let stale = match health.when_unhealthy {
        WhenUnhealthy::Drop => html! { "Its servers are dropped" },
        WhenUnhealthy::ServeStale => html! { "Its servers are served for " (duration(health.max_stale)) " more" },
    };
    let increments = match summary.updated_since {
        None => html! { "What changed is fetched by " code { "updated_since" } },
        Some(found) => html! { code { "updated_since" } " is " (found) " there: it is walked whole instead" },
    };
    let in_a_row = |count: u32, one: &str, many: &str| Some(html! { (text::count(count as usize, one, many)) });
    html! {
        (facts([
            ("Tested every", Some(html! { (duration(health.interval)) })),
            ("A test may take", is_http.then(|| html! { (duration(health.timeout)) })),
            ("Unhealthy after", in_a_row(health.unhealthy_after, "failure", "failures in a row")),
            ("Healthy after", in_a_row(health.healthy_after, "success", "successes in a row")),
            ("When unhealthy", Some(stale)),
            ("Requests", is_http.then(|| html! { "At most " (settings.max_rate) " a second, one at a time" })),
            ("Increments", is_http.then_some(increments)),
            ("Read-through", is_http.then(|| html! { @if settings.read_through { "On" } @else { "Off" } })),
            ("Last full walk", summary.syncs.as_ref().and_then(|syncs| syncs.last_full_at).map(parts::date)),
        ]))
    }
}

/// A duration as the configuration has it.
fn duration(duration: std::time::Duration) -> String {
    let (seconds, fraction) = (duration.as_secs(), duration.subsec_millis());
    match (seconds, fraction) {
        (0, milliseconds) => format!("{milliseconds} ms"),
        (seconds, 0) if seconds % 3_600 == 0 => format!("{} h", seconds / 3_600),
        (seconds, 0) if seconds % 60 == 0 => format!("{} min", seconds / 60),
        (_, 0) => format!("{seconds} s"),
        _ => format!("{} s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    #[test]
    fn durations_are_told_in_the_unit_that_they_were_written_in() {
        let told = [30, 300, 21_600, 90].map(|seconds| super::duration(Duration::from_secs(seconds)));
        assert_eq!(told, ["30 s", "5 min", "6 h", "90 s"]);
        assert_eq!([500, 1_500].map(|ms| super::duration(Duration::from_millis(ms))), ["500 ms", "1.5 s"]);
    }
}
