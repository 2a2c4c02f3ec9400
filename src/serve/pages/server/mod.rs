//! `GET /server/{name}`: one server in one version: what it is, how it is used, where it comes from, and in what the
//! registries differ over it.

mod conflicts;
mod origin;
mod ways;

use maud::{Markup, html};

use super::super::api::View;
use super::super::error::Problem;
use super::browse::status;
use super::layout::Layout;
use super::parts::{Tone, badge, date, facts, link, notice};
use super::root::escaped;
use super::{Asset, Root, text};
use crate::catalog::entry::Status;
use crate::catalog::{Catalog, Server, Version};
use crate::inspect::manifest::Manifest;

/// The most versions that are listed, and that can be chosen.
const MAX_VERSIONS: usize = 100;

/// What a page is about.
struct Subject<'a> {
    catalog: &'a Catalog,
    server: &'a Server,
    version: &'a Version,
    manifest: Manifest,
    root: Root,
}

/// The page of a name, in this version or in the latest.
pub(super) fn page(view: &View<'_>, name: &str, version: Option<&str>, root: Root) -> Result<String, Problem> {
    let (server, version) = view.server(name, version)?;
    let manifest = Manifest::read(&version.entry.server());
    let subject = Subject { catalog: view.catalog, server, version, manifest, root };
    let title = format!("{} {}", subject.title(), version.entry.version());
    let layout = Layout { title: &title, root, tabs: root.tabs(), here: Some("Servers"), scripts: &[Asset::Script] };
    Ok(layout.document(&subject.content()))
}

impl Subject<'_> {
    fn name(&self) -> &str {
        self.server.name.as_str()
    }

    fn title(&self) -> &str {
        let title = self.manifest.title.as_deref().map(str::trim).filter(|title| !title.is_empty());
        title.unwrap_or_else(|| self.name())
    }

    fn content(&self) -> Markup {
        let has_title = self.title() != self.name();
        html! {
            p.crumbs { a href=(self.root.to_servers()) { "All servers" } }
            div.title-row {
                h1 { @if has_title { (text::prose(self.title())) } @else { (text::long_name(self.name())) } }
                (status(self.version.entry.status()))
            }
            @if has_title { p.full-name { (text::code(self.name())) } }
            @if let Some(description) = &self.manifest.description { p.lead { (text::prose(description)) } }
            (self.notices())
            p #said .out-of-sight role="status" {}
            div.columns {
                div {
                    (ways::section(&self.manifest, self.version.entry.status()))
                    (self.versions())
                    (conflicts::section(self.catalog, self.server, self.root))
                }
                aside.side aria-label="About this version" {
                    (self.about())
                    (origin::section(self.version, self.root))
                    (self.more())
                }
            }
        }
    }

    fn notices(&self) -> Markup {
        let entry = &self.version.entry;
        let participant = &self.catalog.registries[self.version.registry];
        let latest = self.server.latest().filter(|_| !self.version.is_latest);
        html! {
            @if *entry.status() == Status::Deleted {
                (notice(Tone::Bad, "Deleted", &html! { p { "Its registry has taken this version back. Clients are told that it is not listed." } }))
            }
            @if *entry.status() == Status::Deprecated {
                (notice(Tone::Careful, "Deprecated", &html! { p { "Its publisher advises against it. Look for what has taken its place." } }))
            }
            @if let Some(latest) = latest {
                (notice(Tone::Info, "Not the latest version", &html! {
                    p { "The latest is " a href=(self.root.to_server(self.name(), None)) { (text::name(latest.entry.version())) } "." }
                }))
            }
            @if text::is_unusual(self.name()) {
                (notice(Tone::Careful, "Look closely at the name", &html! {
                    p { "It has characters in it that may look like others: "
                        @for (index, character) in text::unusual(self.name()).iter().enumerate() {
                            @if index > 0 { ", " } code { (character) }
                        } "." }
                }))
            }
            @if let Some(since) = participant.stale_since {
                (notice(Tone::Careful, "Perhaps out of date", &html! {
                    p { (text::name(&participant.rules.name)) " cannot be reached; this is what it listed on " (date(since)) "." }
                }))
            }
            @if self.manifest.is_cut {
                (notice(Tone::Info, "Longer than a page", &html! { p { "This entry has more of something than is shown. Its JSON has all of it." } }))
            }
        }
    }

    /// The latest versions, the newest first.
    fn newest(&self) -> Vec<&Version> {
        let mut versions = self.server.versions_newest_first();
        versions.truncate(MAX_VERSIONS);
        versions
    }

    fn versions(&self) -> Markup {
        let newest = self.newest();
        let further = self.server.versions.len() - newest.len();
        let rows = newest.iter().map(|version| {
            let number = version.entry.version();
            let is_here = number == self.version.entry.version();
            [
                html! {
                    a href=(self.root.to_server(self.name(), Some(number))) aria-current=[is_here.then_some("true")] { (text::name(number)) }
                    @if version.is_latest { " " (badge(Tone::Good, "latest")) }
                },
                html! { @match version.entry.status() { Status::Active => "active", other => (status(other)) } },
                date(version.entry.published_at()),
                html! { (text::name(&self.catalog.registries[version.registry].rules.name)) },
            ]
        });
        html! {
            section aria-labelledby="versions" {
                h2 #versions { "Versions" }
                (super::parts::table("All versions, the newest first", ["Version", "Status", "Published", "Registry"], rows))
                @if further > 0 {
                    p { a href=(self.json("versions")) { "And " (text::count(further, "older one", "older ones")) ", as JSON" } }
                }
            }
        }
    }

    fn about(&self) -> Markup {
        let entry = &self.version.entry;
        let Manifest { website, repository, folder, .. } = &self.manifest;
        let here = entry.version();
        let newest = self.newest();
        html! {
            section.card aria-labelledby="about" {
                h2 #about { "This version" }
                @if newest.len() > 1 {
                    form.versions method="get" {
                        div {
                            label for="version" { "Version" }
                            select #version name="version" autocomplete="off" {
                                @if !newest.iter().any(|version| version.entry.version() == here) { option value=(here) selected { (text::plain(here)) } }
                                @for version in &newest {
                                    @let number = version.entry.version();
                                    option value=(number) selected[number == here] { (text::plain(number)) @if version.is_latest { " (latest)" } }
                                }
                            }
                        }
                        button type="submit" { "Show" }
                    }
                }
                (facts([
                    ("Version", (newest.len() == 1).then(|| text::name(here))),
                    ("Published", Some(date(entry.published_at()))),
                    ("Updated", (entry.updated_at() != entry.published_at()).then(|| date(entry.updated_at()))),
                    ("Repository", repository.as_deref().map(link)),
                    ("Folder in it", folder.as_deref().map(text::code)),
                    ("Website", website.as_deref().map(link)),
                ]))
            }
        }
    }

    /// The path of what the API has of the name.
    fn json(&self, part: &str) -> String {
        format!("{}v0.1/servers/{}/{part}", self.root, escaped(self.name()))
    }

    fn more(&self) -> Markup {
        let deleted = if self.version.entry.is_deleted() { "?include_deleted=true" } else { "" };
        let json = format!("versions/{}{deleted}", escaped(self.version.entry.version()));
        let named = escaped(self.name());
        html! {
            section.card aria-labelledby="more" {
                h2 #more { "More of it" }
                ul.plain {
                    li { a href=(self.json(&json)) { "This version as JSON" } }
                    li { a href=(self.json("versions")) { "All versions as JSON" } }
                    li { a href={ (self.root) "duplicates?name=" (named) } { "The same thing under other names" } }
                    li { a href={ (self.root) "changes?format=atom&name=" (named) } { "Its changes, as a feed" } }
                }
            }
        }
    }
}
