//! A registry's walks: what the last one came to, those in progress with their bars, and the next ones.

use jiff::Timestamp;
use maud::{Markup, html};

use super::super::super::pages::{parts, text};
use super::super::super::registries::{ProgressView, Summary, SyncsView};

/// All of it, in a few lines.
pub(super) fn lines(summary: &Summary<'_>, now: Timestamp) -> Markup {
    html! {
        @if let Some(syncs) = &summary.syncs {
            @if let Some(progress) = &syncs.full { (bar("Full walk", progress, now)) }
            @if let Some(progress) = &syncs.changes { (bar("Fetching what changed", progress, now)) }
            @if syncs.requested { p.asked { (asked(summary)) } }
        }
        p.last { (last(summary, now)) }
        @if let Some(next) = summary.syncs.as_ref().and_then(|syncs| next(syncs, now)) { p.next.soft { (next) } }
    }
}

/// How far a walk has come. Where nobody knows how far it goes, the bar says only that it moves.
fn bar(label: &str, progress: &ProgressView, now: Timestamp) -> Markup {
    let expected = progress.expected_versions.filter(|expected| 0 < *expected);
    let done = expected.map(|expected| progress.versions.min(expected));
    let so_far = format!(
        "{}, {}",
        text::count(progress.pages as usize, "page", "pages"),
        text::count(progress.versions, "version", "versions")
    );
    html! {
        div.walk {
            p {
                (label) ", begun " (parts::ago(progress.started_at, now))
                @if progress.resting { ": rests until the registry is healthy again" }
            }
            @if !progress.resting { progress aria-label=(label) max=[expected] value=[done] { (so_far) } }
            p.small.soft {
                (so_far)
                @if let Some(expected) = expected { " of about " (text::number(expected)) }
            }
            @if let Some(error) = &progress.error {
                p.small { "A page failed and is asked for again: " (text::prose(error)) }
            }
        }
    }
}

fn asked(summary: &Summary<'_>) -> &'static str {
    let is_walking = summary.syncs.as_ref().is_some_and(|syncs| syncs.full.is_some());
    if is_walking {
        "A full walk was asked for; it begins after this one."
    } else if summary.state == crate::registry::health::State::Healthy {
        "A full walk was asked for; it begins in a moment."
    } else {
        "A full walk was asked for; it begins when the registry is healthy."
    }
}

fn last(summary: &Summary<'_>, now: Timestamp) -> Markup {
    html! {
        @match &summary.last_sync {
            None if summary.listing == "stored" => {
                "Its list is the stored one"
                @if let Some(at) = summary.listed_at { ", confirmed " (parts::ago(at, now)) }
                "."
            }
            None => { "Not synced yet." }
            Some(sync) if sync.ok && summary.kind == "file" => { "Read " (parts::ago(sync.finished_at, now)) "." }
            Some(sync) if sync.ok => {
                "Synced " (parts::ago(sync.finished_at, now)) ": " (text::count(sync.pages as usize, "page", "pages")) "."
            }
            Some(sync) => {
                strong { "The last sync failed" } " " (parts::ago(sync.finished_at, now))
                @if let Some(error) = &sync.error { ": " (text::prose(error)) }
            }
        }
    }
}

/// The next walks; none where none is planned.
fn next(syncs: &SyncsView, now: Timestamp) -> Option<Markup> {
    let planned = [("changes", syncs.next_changes_at), ("full walk", syncs.next_full_at)];
    let planned: Vec<_> = planned.into_iter().filter_map(|(label, at)| Some((label, at?))).collect();
    (!planned.is_empty()).then(|| {
        html! {
            "Next: "
            @for (index, (label, at)) in planned.iter().enumerate() {
                @if index > 0 { ", " }
                (label) " " (soon(*at, now))
            }
            "."
        }
    })
}

/// When something is due. What is due now begins in a moment.
fn soon(at: Timestamp, now: Timestamp) -> Markup {
    if at.as_second() < now.as_second() + 5 {
        return html! { "in a moment" };
    }
    parts::ago(at, now)
}
