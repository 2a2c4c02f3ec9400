//! The three stages of a test, each in words and with a mark: what the last one came to, and where the script shows one
//! as it runs.

use maud::{Markup, html};

use super::super::super::pages::text;
use super::super::super::registries::CheckView;
use super::plot::milliseconds;
use crate::registry::error::Stage;
use crate::registry::probe::StageView;

/// The stages of the last test of a registry; before the first one, none is reached.
pub(super) fn list(check: Option<&CheckView>) -> Markup {
    html! {
        ol.steps aria-label="Stages of the last test" {
            @for (index, stage) in Stage::ALL.into_iter().enumerate() {
                (item(stage, check.map(|check| &check.stages[index])))
            }
        }
    }
}

fn item(stage: Stage, view: Option<&StageView>) -> Markup {
    let (class, mark, outcome) = match view.and_then(|view| view.ok) {
        Some(true) => ("ok", "✓", "ok"),
        Some(false) => ("failed", "✕", "failed"),
        None => ("none", "·", "not reached"),
    };
    let (duration, reason) = (view.and_then(|view| view.duration_ms), view.and_then(|view| view.reason.as_deref()));
    html! {
        li data-stage=(stage.as_str()) data-state=(class) {
            span.mark aria-hidden="true" { (mark) }
            span.what { (label(stage)) }
            span.outcome { (outcome) }
            span.time { @if let Some(duration) = duration { (milliseconds(duration)) } }
            span.reason { @if let Some(reason) = reason { (text::prose(reason)) } }
        }
    }
}

/// What a stage is called.
pub(super) fn label(stage: Stage) -> &'static str {
    match stage {
        Stage::Network => "Network",
        Stage::Response => "Response",
        Stage::Format => "Format",
    }
}
