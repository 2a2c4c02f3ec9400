//! What happened between catalogs, newest first: as far back as the feed goes, a page at a time.

use std::sync::Arc;

use maud::{Markup, html};

use super::super::super::error::{InvalidParameter, Problem};
use super::super::super::pages::parts::{self, Tone, badge};
use super::super::super::pages::text;
use super::Ground;
use crate::catalog::diff::{Change, Kind};
use crate::catalog::feed::{Event, Feed};

/// How many events stand on a page.
const ON_PAGE: usize = 50;

/// What is asked for: events with numbers below this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    before: Option<u64>,
    registry: Option<String>,
}

impl Asked {
    pub(super) fn read(query: Option<&str>) -> Result<Self, Problem> {
        let mut asked = Self::default();
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match (&*key, &*value) {
                (_, "") => {}
                ("registry", name) => asked.registry = Some(name.to_owned()),
                ("before", number) => asked.before = Some(number.parse().map_err(|_| not_a_number(number))?),
                _ => {}
            }
        }
        Ok(asked)
    }

    fn passes(&self, event: &Event) -> bool {
        let is_of = |registry: &String| {
            let of =
                |change: &Change| *change.registry == **registry || change.former_registry.as_deref() == Some(registry);
            event.change.as_ref().is_none_or(of)
        };
        self.registry.as_ref().is_none_or(is_of)
    }
}

fn not_a_number(text: &str) -> Problem {
    Problem::Validation(vec![InvalidParameter {
        message: "expected the number of an event".into(),
        location: "query.before".into(),
        value: text.into(),
    }])
}

/// The content of the page.
pub(super) fn content(ground: Ground<'_>, asked: &Asked) -> Markup {
    let feed = ground.catalog.changes.load_full();
    let (events, next) = page(&feed, asked, ON_PAGE);
    let link = |before: Option<u64>| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(registry) = &asked.registry {
            query.append_pair("registry", registry);
        }
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        format!("{}dashboard/changes?{}", ground.root, query.finish())
    };
    html! {
        h1 { "Changes" }
        p.lead { "What was added, changed and removed between catalogs, newest first." }
        (super::filter_by_registry(ground, "dashboard/changes", asked.registry.as_deref()))
        @if events.is_empty() {
            (parts::empty("Nothing here", &html! { p { "Nothing has happened, or it is too long ago to be known." } }))
        } @else {
            (table(ground, events))
        }
        (parts::pager(asked.before.map(|_| link(None)).as_deref(), next.map(|before| link(Some(before))).as_deref()))
    }
}

/// The newest events, for other pages.
pub(super) fn newest(ground: Ground<'_>, count: usize) -> Markup {
    let feed = ground.catalog.changes.load_full();
    let (events, _) = page(&feed, &Asked::default(), count);
    if events.is_empty() {
        return parts::empty("Nothing yet", &html! { p { "What registries add, change and remove will stand here." } });
    }
    table(ground, events)
}

/// So many of the events that are asked for, newest first; and where the next page begins, if there is one.
fn page<'a>(feed: &'a Feed, asked: &Asked, count: usize) -> (Vec<&'a Event>, Option<u64>) {
    let older = |event: &&Arc<Event>| asked.before.is_none_or(|before| event.sequence < before);
    let mut events = feed.events().iter().rev().filter(older).filter(|event| asked.passes(event)).map(AsRef::as_ref);
    let found: Vec<&Event> = events.by_ref().take(count).collect();
    let next = events.next().and_then(|_| found.last()).map(|last| last.sequence);
    (found, next)
}

fn table(ground: Ground<'_>, events: Vec<&Event>) -> Markup {
    let rows = events.into_iter().map(|event| row(ground, event));
    parts::table("Events, newest first", ["Server", "What", "Registry", "When"], rows)
}

fn row(ground: Ground<'_>, event: &Event) -> [Markup; 4] {
    let when = parts::ago(event.time, ground.now);
    let Some(change) = &event.change else {
        let what = badge(Tone::Info, "reset");
        return [html! { "Much at once: the whole list may have changed" }, what, html! {}, when];
    };
    let registry = html! {
        (text::name(&change.registry))
        @if let Some(former) = &change.former_registry { span.soft { " before: " (text::name(former)) } }
    };
    [super::server(ground, change.name.as_str(), &change.version), what(change), registry, when]
}

fn what(change: &Change) -> Markup {
    let (tone, label) = match change.kind {
        Kind::Added => (Tone::Good, "added"),
        Kind::Changed => (Tone::Info, "changed"),
        Kind::Deprecated => (Tone::Careful, "deprecated"),
        Kind::Deleted => (Tone::Bad, "deleted"),
        Kind::Removed => (Tone::Bad, "removed"),
        Kind::LatestMoved => (Tone::Other, "latest moved"),
    };
    html! {
        (badge(tone, label))
        @if let Some(previous) = &change.previous_version { span.soft.small { " from " (text::name(previous)) } }
        @if !change.fields.is_empty() {
            span.soft.small {
                @for (index, field) in change.fields.iter().enumerate() {
                    @if index > 0 { "," } " " (text::code(field))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_asked_for_by_number() {
        assert_eq!(Asked::read(None), Ok(Asked::default()));
        let asked = Asked { before: Some(7), registry: Some("acme".to_owned()) };
        assert_eq!(Asked::read(Some("before=7&registry=acme")), Ok(asked));
        assert_eq!(Asked::read(Some("registry=")), Ok(Asked::default()));
        for query in ["before=x", "before=-1"] {
            let status = Asked::read(Some(query)).map_err(|problem| problem.status().as_u16());
            assert_eq!(status, Err(422), "{query}");
        }
    }
}
