//! How long a registry's last tests took, as a small plot: a bar for each, the newest on the right. One that failed is
//! a broken bar of full height, so that it shows without colours; and the whole is told in words beneath.

use jiff::Timestamp;
use maud::{Markup, html};

use super::super::super::pages::{parts, text};
use super::super::super::registries::PastCheckView;
use crate::registry::history::MAX_CHECKS;

/// The size of the plot, in its own units: each bar has two, of which one is the gap.
const WIDTH: usize = 2 * MAX_CHECKS;
const HEIGHT: f64 = 32.0;
/// The least that the highest bar stands for, in milliseconds: what is quick shall look so.
const LEAST_SCALE_MS: f64 = 10.0;
/// The highest bar stands for this many times the median: one test that took long shall not make all others look alike.
const OF_MEDIAN: f64 = 4.0;
/// A bar is never lower than this.
const LOWEST: f64 = 1.0;

/// A plot of tests, the oldest first, and what it says.
pub(super) fn figure(name: &str, checks: &[PastCheckView], now: Timestamp) -> Markup {
    if checks.is_empty() {
        return html! { p.soft.small { "No test has ended yet." } };
    }
    let durations = durations(checks);
    let median = durations.get(durations.len() / 2).copied().unwrap_or_default();
    let slowest = durations.last().copied().unwrap_or_default();
    let scale = slowest.min(OF_MEDIAN * median).max(LEAST_SCALE_MS);
    let label = format!("Duration of the last {} of {name}", text::count(checks.len(), "test", "tests"));
    html! {
        figure.plot {
            svg viewBox={ "0 0 " (WIDTH) " " (length(HEIGHT)) } preserveAspectRatio="none" role="img" aria-label=(label) {
                line x1="0" x2=(WIDTH) y1=(length(HEIGHT)) y2=(length(HEIGHT)) {}
                @for (index, check) in checks.iter().rev().enumerate() {
                    (bar(WIDTH.saturating_sub(2 * index + 2), check, scale))
                }
            }
            figcaption { (said(checks, &durations, now)) }
        }
    }
}

fn bar(left: usize, check: &PastCheckView, scale: f64) -> Markup {
    if !check.ok {
        let part = HEIGHT * 0.4;
        return html! {
            rect.failed x=(left) y="0" width="1.5" height=(length(part)) {}
            rect.failed x=(left) y=(length(HEIGHT - part)) width="1.5" height=(length(part)) {}
        };
    }
    let height = (HEIGHT * check.duration_ms / scale).clamp(LOWEST, HEIGHT);
    html! { rect x=(left) y=(length(HEIGHT - height)) width="1.5" height=(length(height)) {} }
}

fn length(units: f64) -> String {
    ((units * 10.0).round() / 10.0).to_string()
}

/// How long those took that passed, the quickest first.
fn durations(checks: &[PastCheckView]) -> Vec<f64> {
    let mut durations: Vec<f64> = checks.iter().filter(|check| check.ok).map(|check| check.duration_ms).collect();
    durations.sort_by(f64::total_cmp);
    durations
}

/// The plot in words.
fn said(checks: &[PastCheckView], durations: &[f64], now: Timestamp) -> Markup {
    let failed = checks.len() - durations.len();
    let median = durations.get(durations.len() / 2);
    html! {
        @match (median, durations.last()) {
            (Some(median), Some(slowest)) if durations.len() > 1 => {
                "Median " (milliseconds(*median)) ", slowest " (milliseconds(*slowest)) ". "
            }
            (Some(only), _) => { (milliseconds(*only)) ". " }
            _ => {}
        }
        @if let Some(last) = checks.iter().rev().find(|check| !check.ok) {
            strong { (text::number(failed)) " of " (text::number(checks.len())) " failed" }
            ", the last one " (parts::ago(last.at, now)) "."
        } @else if checks.len() == 1 {
            "The only test so far passed."
        } @else {
            "All of " (text::number(checks.len())) " tests passed."
        }
    }
}

/// A duration for people: in milliseconds, or in seconds where there are many of them.
pub(super) fn milliseconds(duration: f64) -> String {
    match duration {
        short if short < 10.0 => format!("{short:.1} ms"),
        middle if middle < 1_000.0 => format!("{middle:.0} ms"),
        long => format!("{:.1} s", long / 1_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::error::Stage;

    fn check(second: i64, duration_ms: f64, failed: Option<Stage>) -> PastCheckView {
        let at = Timestamp::from_second(second).expect("a time");
        PastCheckView { at, ok: failed.is_none(), duration_ms, failed }
    }

    fn drawn(checks: &[PastCheckView]) -> String {
        figure("acme", checks, Timestamp::from_second(1_000).expect("a time")).into_string()
    }

    #[test]
    fn each_test_is_a_bar_and_failed_ones_are_broken() {
        assert!(drawn(&[]).contains("No test has ended yet."));
        let shown = drawn(&[check(0, 100.0, None), check(700, 9.0, Some(Stage::Response)), check(760, 25.0, None)]);
        for part in [
            "aria-label=\"Duration of the last 3 tests of acme\"",
            "<rect x=\"234\" y=\"0\" width=\"1.5\" height=\"32\">",
            "<rect class=\"failed\" x=\"236\" y=\"0\"",
            "<rect x=\"238\" y=\"24\" width=\"1.5\" height=\"8\">",
            "Median 100 ms, slowest 100 ms. <strong>1 of 3 failed</strong>, the last one <time",
            ">5 minutes ago</time>.",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        let slow = [1.0, 1.0, 8.0, 16.0, 900.0].map(|duration| check(0, 10.0 * duration, None));
        let slow = drawn(&slow);
        assert!(slow.contains("height=\"16\"") && slow.contains("slowest 9.0 s"), "half of four medians: {slow}");
        let quick = drawn(&[check(0, 0.001, None)]);
        assert!(quick.contains("height=\"1\""), "it shows at all: {quick}");
        assert!(quick.contains("0.0 ms. The only test so far passed."), "{quick}");
    }

    #[test]
    fn the_most_tests_there_are_fill_the_plot() {
        let all: Vec<_> =
            (0..MAX_CHECKS).map(|second| check(i64::try_from(second).expect("small"), 1.0, None)).collect();
        let shown = drawn(&all);
        assert!(shown.contains("<rect x=\"0\" ") && shown.contains("All of 120 tests passed."), "{shown}");
    }

    #[test]
    fn durations_are_as_exact_as_they_need_to_be() {
        assert_eq!([0.04, 9.96, 412.4, 1_449.0].map(milliseconds), ["0.0 ms", "10.0 ms", "412 ms", "1.4 s"]);
    }
}
