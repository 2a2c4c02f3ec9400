//! Where registries disagree, and what is likely the same thing under several names: what `inspect` finds, as pages.

use maud::{Markup, html};

use super::super::super::inspections::{Findings, Inspection};
use super::super::super::pages::parts::{self, Tone, badge, facts, notice};
use super::super::super::pages::{escaped, text};
use super::Ground;
use crate::inspect::conflicts::{Conflict, Content, Latest, Refused};
use crate::inspect::duplicates::{Basis, Grade, Kind, Told};

/// The content of a page of what was found; `next` is the cursor of the next one.
pub(super) fn content(ground: Ground<'_>, findings: &Findings<'_>, asked: &Inspection, next: Option<&str>) -> Markup {
    let path = match findings {
        Findings::Conflicts(_) => "dashboard/conflicts",
        Findings::Duplicates(_) => "dashboard/duplicates",
    };
    let page = format!("{}{path}", ground.root);
    let next = next.map(|cursor| format!("{page}?cursor={}", escaped(cursor)));
    let first = match asked.registry() {
        Some(registry) => format!("{page}?registry={}", escaped(registry)),
        None => page,
    };
    html! {
        @match findings {
            Findings::Conflicts(_) => {
                h1 { "Conflicts" }
                p.lead {
                    "Where registries disagree: versions that they list with different content, latest versions from \
                     another registry than earlier ones, and entries whose name belongs to others."
                }
            }
            Findings::Duplicates(_) => {
                h1 { "Duplicates" }
                p.lead {
                    "Servers under different names that are likely the same thing, and names that can be taken for \
                     those of more established servers."
                }
            }
        }
        (super::filter_by_registry(ground, path, asked.registry()))
        @if !ground.catalog.is_available() {
            (notice(Tone::Careful, "No registry is usable", &html! { p { "So there is nothing to compare." } }))
        }
        @match findings {
            Findings::Conflicts(conflicts) => (self::conflicts(ground, conflicts)),
            Findings::Duplicates(groups) => (duplicates(ground, groups)),
        }
        (parts::pager(asked.is_later().then_some(&*first), next.as_deref()))
    }
}

fn conflicts(ground: Ground<'_>, conflicts: &[Conflict<'_>]) -> Markup {
    if conflicts.is_empty() {
        return parts::empty(
            "No conflicts",
            &html! { p { "The registries agree on everything that several of them list." } },
        );
    }
    html! {
        ul.cards {
            @for conflict in conflicts {
                li.card.plain {
                    @match conflict {
                        Conflict::Content(content) => (differing(ground, content)),
                        Conflict::Latest(latest) => (moved(ground, latest)),
                        Conflict::Refused(refused) => (foreign(ground, refused)),
                    }
                }
            }
        }
    }
}

fn head(ground: Ground<'_>, tone: Tone, label: &str, name: &str, version: &str) -> Markup {
    html! {
        h2 {
            (badge(tone, label)) " "
            (super::server(ground, name, version))
        }
    }
}

fn differing(ground: Ground<'_>, content: &Content<'_>) -> Markup {
    html! {
        (head(ground, Tone::Careful, "different content", content.name, content.version))
        p { "Served is what " strong { (text::name(content.winner)) } " lists: " (content.reason) "." }
        @for listing in &content.listings {
            @if let Some(differences) = &listing.differences {
                @let rows = differences.differences.iter().map(parts::difference);
                @let caption = format!("In what {} differs", listing.registry);
                (parts::table(&caption, ["Field", "Served", "Listed there"], rows))
                @if 0 < differences.further_differences {
                    @let more = text::count(differences.further_differences, "more difference", "more differences");
                    p.small.soft { "And " (more) "." }
                }
            }
        }
    }
}

fn moved(ground: Ground<'_>, latest: &Latest<'_>) -> Markup {
    html! {
        (head(ground, Tone::Other, "latest from elsewhere", latest.name, latest.version))
        p {
            "The latest version comes from " strong { (text::name(latest.registry)) } ", published "
            (parts::ago(latest.published_at, ground.now)) ". Earlier ones come from "
            @for (index, earlier) in latest.earlier.iter().enumerate() {
                @if index > 0 { ", " }
                (text::name(earlier.registry)) " (" (text::count(earlier.versions, "version", "versions")) ", up to "
                (text::name(earlier.latest)) ")"
            }
            "."
        }
    }
}

fn foreign(ground: Ground<'_>, refused: &Refused<'_>) -> Markup {
    html! {
        (head(ground, Tone::Bad, "refused", refused.name, refused.version))
        p {
            strong { (text::name(refused.registry)) } " lists it and may not: " (refused.reason) " ("
            (text::name(&refused.claimed_by.join(", "))) ")."
        }
    }
}

fn duplicates(ground: Ground<'_>, groups: &[Told<'_>]) -> Markup {
    if groups.is_empty() {
        return parts::empty("No duplicates", &html! { p { "No two names have enough in common." } });
    }
    html! { ul.cards { @for group in groups { li.card.plain { (self::group(ground, group)) } } } }
}

fn group(ground: Ground<'_>, group: &Told<'_>) -> Markup {
    let kind = match group.kind {
        Kind::Same => "likely the same",
        Kind::LookAlike => "look alike",
    };
    let tone = match group.grade {
        Grade::Certain => Tone::Bad,
        Grade::Likely => Tone::Careful,
        Grade::Weak => Tone::Plain,
    };
    let rows = group.servers.iter().map(|server| {
        let name = html! {
            a href=(ground.root.to_server(server.name, None)) { (text::code(server.name)) } " "
            (text::name(server.version))
        };
        let versions = html! { (text::number(server.versions)) };
        [name, text::name(&server.registries.join(", ")), versions, parts::ago(server.published_at, ground.now)]
    });
    let evidence = group.evidence.iter().map(|evidence| {
        (
            basis(evidence.basis),
            Some(html! { (text::code(evidence.value)) " " span.soft { (evidence.grade.as_str()) } }),
        )
    });
    html! {
        h2 { (badge(tone, group.grade.as_str())) " " (kind) }
        (parts::table("Servers", ["Server", "Registries", "Versions", "First published"], rows))
        @if 0 < group.further_servers {
            p.small.soft { "And " (text::count(group.further_servers, "more server", "more servers")) "." }
        }
        (facts(evidence))
    }
}

fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Remote => "One URL",
        Basis::Package => "One package",
        Basis::Repository => "One repository",
        Basis::Case => "Letter case alone",
        Basis::Confusable => "Look the same",
        Basis::Edits => "Edits apart",
    }
}
