//! What pages are made of: links, times, badges, notices, tables, and the way from page to page.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, Render, html};
use serde_json::Value;
use url::Url;

use super::text;
use crate::inspect::conflicts::Difference;

/// What a badge or a notice says at a glance; each says it in words, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Tone {
    Plain,
    Good,
    Careful,
    Bad,
    Info,
    Other,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Careful => "careful",
            Self::Bad => "bad",
            Self::Info => "info",
            Self::Other => "other",
        }
    }
}

/// A word or two in a frame.
pub(in crate::serve) fn badge(tone: Tone, content: impl Render) -> Markup {
    html! { span class={ "badge " (tone.class()) } { (content) } }
}

/// Something to know before all else; `title` says it, `more` explains it.
pub(in crate::serve) fn notice(tone: Tone, title: &str, more: &Markup) -> Markup {
    html! { div class={ "notice " (tone.class()) } role="note" { p.title { (title) } (more) } }
}

/// What stands where there is nothing to show.
pub(in crate::serve) fn empty(title: &str, more: &Markup) -> Markup {
    html! { div.empty { p.title { (title) } (more) } }
}

/// A URL that a registry wrote: a link where it is one of http or https without credentials in it, else its text.
/// Shown is where it leads, hosts in the letters that DNS has.
pub(in crate::serve) fn link(url: &str) -> Markup {
    match followable(url) {
        Some(url) => {
            html! { a.away rel="noopener noreferrer nofollow external" href=(url) { (text::code(url.as_str())) } }
        }
        None => text::code(url),
    }
}

fn followable(url: &str) -> Option<Url> {
    let url = Url::parse(url).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    (is_web && url.username().is_empty() && url.password().is_none()).then_some(url)
}

/// A day, as it stays true on a page that is kept. The script says how long ago that is.
pub(in crate::serve) fn date(at: Timestamp) -> Markup {
    let (machine, day, full) = forms(at);
    html! { time datetime=(machine) title=(full) data-since="" { (day) } }
}

/// How long ago something was, for a page that nobody keeps.
pub(in crate::serve) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    let (machine, _, full) = forms(at);
    html! { time datetime=(machine) title=(full) data-ago="" { (distance(at, now)) } }
}

/// For machines, as a day, and to the second.
fn forms(at: Timestamp) -> (String, String, String) {
    let zoned = at.to_zoned(TimeZone::UTC);
    let machine = zoned.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    (machine, zoned.strftime("%-d %b %Y").to_string(), zoned.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// `just now`, `5 minutes ago`, `in 3 hours`.
fn distance(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    let size = seconds.unsigned_abs();
    let units = [(86_400 * 365, "year"), (86_400 * 30, "month"), (86_400, "day"), (3_600, "hour"), (60, "minute")];
    let found = units.into_iter().find(|(length, _)| *length <= size);
    let (count, unit) = match found {
        Some((length, unit)) => (size / length, unit),
        None if size < 5 => return "just now".to_owned(),
        None => (size, "second"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if seconds < 0 { format!("in {count} {unit}{plural}") } else { format!("{count} {unit}{plural} ago") }
}

/// A table. The first cell of each row names it. On narrow screens the style lays the cells of a row under each other,
/// each after the name of its column; browsers then forget that they are a table's, so the roles are spelled out.
pub(in crate::serve) fn table<const N: usize>(
    caption: &str,
    columns: [&str; N],
    rows: impl IntoIterator<Item = [Markup; N]>,
) -> Markup {
    let class = match N {
        2 => "of-two",
        3 => "of-three",
        _ => "of-many",
    };
    html! {
        table class=(class) role="table" {
            caption { (caption) }
            thead role="rowgroup" {
                tr role="row" { @for column in columns { th scope="col" role="columnheader" { (column) } } }
            }
            tbody role="rowgroup" {
                @for row in rows {
                    tr role="row" {
                        @for (index, cell) in row.iter().enumerate() {
                            @if index == 0 {
                                th scope="row" role="rowheader" { (cell) }
                            } @else {
                                td role="cell" data-label=(columns[index]) { (cell) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// In what two listings of a version differ, as a row of a table: where, what is served, and what the other has.
pub(in crate::serve) fn difference(difference: &Difference) -> [Markup; 3] {
    let side = |value: &Option<Value>, side: &str| match value {
        Some(value) => text::code(&value.to_string()),
        None if difference.too_long.contains(&side) => html! { span.soft { "too long to show" } },
        None => html! { span.soft { "nothing" } },
    };
    [text::code(&difference.pointer), side(&difference.winner, "winner"), side(&difference.other, "other")]
}

/// Terms and what is said of each; those without anything are left out.
pub(in crate::serve) fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, Option<Markup>)>) -> Markup {
    html! {
        dl.facts {
            @for (term, said) in facts { @if let Some(said) = said { div { dt { (term) } dd { (said) } } } }
        }
    }
}

/// The way to the first page and to the next one.
pub(in crate::serve) fn pager(first: Option<&str>, next: Option<&str>) -> Markup {
    html! {
        @if first.is_some() || next.is_some() {
            nav.pager aria-label="Pages" {
                @if let Some(first) = first { a.button href=(first) { "First page" } }
                @if let Some(next) = next { a.button.next href=(next) rel="next" { "Next page" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_leads_to_the_web_is_a_link() {
        for url in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "data:text/html,<script>",
            "ftp://example.com/",
            "//example.com/",
            "/docs",
            "",
            "https://user:password@example.com/",
            "https://google.com@example.com/",
            "vscode:extension",
        ] {
            let shown = link(url).into_string();
            assert!(!shown.contains("<a"), "{url}: {shown}");
        }
        let shown = link("HTTPS://ex\u{430}mple.com/\"onclick=\"").into_string();
        assert!(
            shown.starts_with(
                "<a class=\"away\" rel=\"noopener noreferrer nofollow external\" href=\"https://xn--exmple"
            )
        );
        assert!(!shown.contains("\"onclick"), "{shown}");
    }

    #[test]
    fn times_are_told_for_people_and_machines() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a timestamp");
        let then = at("2025-12-09T00:18:46.7Z");
        assert_eq!(
            date(then).into_string(),
            "<time datetime=\"2025-12-09T00:18:46Z\" title=\"2025-12-09 00:18:46 UTC\" data-since=\"\">9 Dec 2025</time>"
        );
        for (now, expected) in [
            ("2025-12-09T00:18:48Z", "just now"),
            ("2025-12-09T00:18:40Z", "in 6 seconds"),
            ("2025-12-09T00:19:46Z", "1 minute ago"),
            ("2025-12-09T02:19:46Z", "2 hours ago"),
            ("2025-12-20T00:19:46Z", "11 days ago"),
            ("2026-02-20T00:19:46Z", "2 months ago"),
            ("2028-02-20T00:19:46Z", "2 years ago"),
        ] {
            assert!(ago(then, at(now)).into_string().contains(&format!(">{expected}<")), "{now}");
        }
    }

    #[test]
    fn tables_name_each_cell_for_screens_that_have_no_room_for_them() {
        let cell = |text: &str| html! { (text) };
        let table = table("Registries", ["Name", "State"], [[cell("acme"), cell("<b>")]]).into_string();
        assert!(table.contains("<th scope=\"row\" role=\"rowheader\">acme</th>"), "{table}");
        assert!(table.contains("<td role=\"cell\" data-label=\"State\">&lt;b&gt;</td>"), "{table}");
    }
}
