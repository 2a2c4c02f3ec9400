//! `GET /`: all servers, searched and filtered, page by page. It asks the catalog what the list of the API asks it, so
//! it costs as much.

use maud::{Markup, html};

use super::super::api::View;
use super::super::cursor;
use super::super::query::ListQuery;
use super::layout::Layout;
use super::parts::{Tone, badge, date, empty, notice, pager};
use super::{Asset, Root, text};
use crate::catalog::entry::Status;
use crate::catalog::facets::Kind;
use crate::catalog::page::{Filter, VersionFilter};
use crate::catalog::{Catalog, Version};
use crate::inspect::manifest::Heading;

/// What `version` has where all versions are wanted: without it, only the latest ones are shown.
pub(in crate::serve) const ALL_VERSIONS: &str = "all";

/// What the values of `type` are called, and those of the other filters that have a list of them. Others may be asked
/// for, too: registries have what they like.
const KINDS: [(&str, &str); 2] = [("package", "Package"), ("remote", "Remote")];
const PACKAGE_TYPES: [(&str, &str); 5] =
    [("npm", "npm"), ("pypi", "PyPI"), ("oci", "Container image"), ("nuget", "NuGet"), ("mcpb", "MCP bundle")];
const TRANSPORTS: [(&str, &str); 3] = [("stdio", "stdio"), ("streamable-http", "Streamable HTTP"), ("sse", "SSE")];
const STATUSES: [(&str, &str); 3] = [("active", "Active"), ("deprecated", "Deprecated"), ("deleted", "Deleted")];
const VERSIONS: [(&str, &str); 1] = [(ALL_VERSIONS, "All versions")];

/// The page of a query; the catalog must have something to show.
pub(super) fn page(view: &View<'_>, query: &ListQuery, root: Root) -> String {
    let catalog = view.catalog;
    let content = html! {
        h1 { "MCP servers" }
        p.lead {
            (text::count(catalog.servers().len(), "server", "servers")) " in "
            (text::count(catalog.versions(), "version", "versions")) " from "
            a href={ (root) "status" } { (text::count(catalog.registries.len(), "registry", "registries")) } ", merged."
        }
        (warning(catalog, root))
        (form(catalog, &query.filter))
        p #said .out-of-sight role="status" {}
        (results(catalog, query, root))
    };
    let layout =
        Layout { title: "MCP servers", root, tabs: root.tabs(), here: Some("Servers"), scripts: &[Asset::Script] };
    layout.document(&content)
}

/// Which registries' servers are missing, old, or not all there yet.
fn warning(catalog: &Catalog, root: Root) -> Markup {
    let missing: Vec<_> = catalog.registries.iter().filter(|registry| !registry.usable).collect();
    let usable = || catalog.registries.iter().filter(|registry| registry.usable);
    let stale: Vec<_> = usable().filter_map(|registry| Some((registry, registry.stale_since?))).collect();
    let partial: Vec<_> = usable().filter(|registry| !registry.is_whole).collect();
    if missing.is_empty() && stale.is_empty() && partial.is_empty() {
        return html! {};
    }
    let more = html! {
        ul {
            @for registry in missing { li { (text::name(&registry.rules.name)) " cannot be used now; what only it lists is not shown." } }
            @for (registry, since) in stale {
                li { (text::name(&registry.rules.name)) " cannot be reached; what it listed is shown as it was on " (date(since)) "." }
            }
            @for registry in partial { li { (text::name(&registry.rules.name)) " is still being read; more of it comes." } }
        }
        p { a href={ (root) "status" } { "How the registries fare" } }
    };
    notice(Tone::Careful, "Not everything is here", &more)
}

fn form(catalog: &Catalog, filter: &Filter) -> Markup {
    let registries: Vec<(&str, &str)> =
        catalog.registries.iter().map(|one| (&*one.rules.name, &*one.rules.name)).collect();
    let version = match &filter.version {
        VersionFilter::Latest => None,
        VersionFilter::Any => Some(ALL_VERSIONS),
        VersionFilter::Exact(version) => Some(&**version),
    };
    let is_narrowed =
        Filter { search: None, ..filter.clone() } != Filter { version: VersionFilter::Latest, ..Filter::default() };
    html! {
        form.search method="get" role="search" autocomplete="off" data-live {
            div.line {
                label.out-of-sight for="search" { "Search in names, titles and descriptions" }
                input #search type="search" name="search" value=[filter.search.as_deref()] maxlength="256"
                    placeholder="Search in names, titles and descriptions" spellcheck="false" autocapitalize="off";
                button.main type="submit" { "Search" }
            }
            details.filters open[is_narrowed] {
                summary { "Filters" }
                div.grid {
                    (select("registry", "Registry", "All registries", &registries, filter.registry.as_deref()))
                    (select("type", "Kind", "All kinds", &KINDS, filter.kind.map(Kind::as_str)))
                    (select("package_type", "Package type", "All types", &PACKAGE_TYPES, filter.package_type.as_deref()))
                    (select("transport", "Transport", "All transports", &TRANSPORTS, filter.transport.as_deref()))
                    (select("status", "Status", "All but deleted", &STATUSES, filter.status.as_ref().map(Status::as_str)))
                    (select("version", "Versions", "Latest versions", &VERSIONS, version))
                }
            }
        }
    }
}

/// One filter; what is asked for and not among its values is shown as it is.
fn select(name: &str, label: &str, all: &str, values: &[(&str, &str)], chosen: Option<&str>) -> Markup {
    let other = chosen.filter(|chosen| !values.iter().any(|(value, _)| value == chosen));
    html! {
        div {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                option value="" { (all) }
                @for (value, label) in values { option value=(value) selected[chosen == Some(value)] { (label) } }
                @if let Some(other) = other { option value=(other) selected { (text::plain(other)) } }
            }
        }
    }
}

fn results(catalog: &Catalog, query: &ListQuery, root: Root) -> Markup {
    let found = catalog.page(&query.filter, query.after.as_ref(), query.limit);
    let shows_latest = query.filter.version == VersionFilter::Latest;
    let next = found.next.as_ref().map(|position| format!("?cursor={}", cursor::encode(&query.filter, position)));
    let first = query.after.is_some().then(|| first(&query.filter, root));
    let what = if shows_latest { ("server", "servers") } else { ("version", "versions") };
    let shown = text::count(found.versions.len(), what.0, what.1);
    html! {
        section.results aria-labelledby="found" aria-busy="false" {
            div.heading {
                h2 #found { @if query.filter.search.is_some() { "Found" } @else { "All servers" } }
                p {
                    @match (first.is_some(), next.is_some()) {
                        (false, false) => { (shown) },
                        (false, true) => { "The first " (shown) ", by name" },
                        (true, true) => { "The next " (shown) },
                        (true, false) => { "The last " (shown) },
                    }
                }
            }
            @if found.versions.is_empty() {
                (empty("Nothing found", &html! { p { "No server is like that. " a href=(root.to_servers()) { "Show all servers" } } }))
            } @else {
                ul.cards { @for version in &found.versions { (card(version, shows_latest, root)) } }
            }
            (pager(first.as_deref(), next.as_deref()))
        }
    }
}

/// The query of the first page of a list.
fn first(filter: &Filter, root: Root) -> String {
    let version = match &filter.version {
        VersionFilter::Latest => None,
        VersionFilter::Any => Some(ALL_VERSIONS),
        VersionFilter::Exact(version) => Some(&**version),
    };
    let pairs = [
        ("search", filter.search.as_deref()),
        ("registry", filter.registry.as_deref()),
        ("type", filter.kind.map(Kind::as_str)),
        ("package_type", filter.package_type.as_deref()),
        ("transport", filter.transport.as_deref()),
        ("status", filter.status.as_ref().map(Status::as_str)),
        ("version", version),
        ("include_deleted", filter.include_deleted.then_some("true")),
    ];
    let pairs: Vec<(&str, &str)> = pairs.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    if pairs.is_empty() {
        return root.to_servers();
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("?{query}")
}

fn card(version: &Version, shows_latest: bool, root: Root) -> Markup {
    let entry = &version.entry;
    let server = entry.server();
    // Without a name, or with a title that is none, it would not be in the catalog.
    let Some(Heading { name, title, description }) = Heading::read(&server) else { return html! {} };
    let title = title.as_deref().map(str::trim).filter(|title| !title.is_empty());
    let to = root.to_server(&name, (!shows_latest).then_some(entry.version()));
    let provenance = version.provenance();
    let also_in = provenance["alsoIn"].as_array().map_or(0, Vec::len);
    html! {
        li.card {
            h3 { a href=(to) { @if let Some(title) = title { (text::prose(title)) } @else { (text::name(&name)) } } }
            @if title.is_some() { p.name { (text::code(&name)) } }
            @if let Some(description) = description { p.about { (text::prose(&description)) } }
            p.marks {
                (status(entry.status()))
                @if text::is_unusual(&name) { (badge(Tone::Careful, "unusual characters")) }
                @if provenance["divergent"] == true { (badge(Tone::Careful, "registries differ")) }
                @for facet in entry.facets().as_text().lines() { (facet_badge(facet)) }
                span { "version " (text::name(entry.version())) }
                span { "from " (text::name(provenance["registry"].as_str().unwrap_or_default()))
                    @if also_in > 0 { " and " (text::count(also_in, "other registry", "other registries")) } }
                span { "updated " (date(entry.updated_at())) }
            }
        }
    }
}

/// The badge of a status; none for the one that most have.
pub(super) fn status(status: &Status) -> Markup {
    let tone = match status {
        Status::Active => return html! {},
        Status::Deprecated => Tone::Careful,
        Status::Deleted => Tone::Bad,
        Status::Other(_) => Tone::Plain,
    };
    badge(tone, text::name(status.as_str()))
}

fn facet_badge(facet: &str) -> Markup {
    match facet.split_once('=') {
        Some(("type", "remote")) => badge(Tone::Other, "remote"),
        Some(("package_type", kind)) => badge(Tone::Info, text::name(kind)),
        _ => html! {},
    }
}
