//! The dashboard: pages for those who run the proxy. Everything on them is made when somebody asks, of what is known
//! then; nothing is asked of registries for it.
//!
//! `overview` is the first page, `registry` a registry on it, `detail` one on a page of its own, `stages`, `plot` and
//! `syncing` what these are made of; `changes` and `found` are what happened, and what `inspect` finds; `assets` what
//! pages load.
//!
//! What changes by itself on a page stands in parts with `data-live`: the script asks for the page again, and puts the
//! new parts in the place of the old ones.

mod assets;
mod changes;
mod detail;
mod found;
mod overview;
mod plot;
mod registry;
mod stages;
mod syncing;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use http::request::Parts;
use http::{HeaderValue, Response};
use jiff::Timestamp;
use maud::{Markup, html};

use super::super::configuration::State;
use super::super::error::Problem;
use super::super::inspections::{Inspection, Inspections};
use super::super::pages::{self, HTML, Layout, POLICY, Root, text};
use super::super::registries::{self, Detail, Summary};
use super::super::{Answered, Body, Service, StoreFigures};
use crate::catalog::Catalog;
use crate::registry::Registry;
use crate::registry::wire::Refused;
pub(super) use assets::Asset;
use changes::Asked;

/// A page of the dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// All registries.
    Overview,
    /// One of them.
    Registry { name: String },
    /// What happened between catalogs.
    Changes,
    /// Where registries disagree.
    Conflicts,
    /// What is likely the same thing under several names.
    Duplicates,
}

/// What all pages are made of.
#[derive(Clone, Copy)]
struct Ground<'a> {
    root: Root,
    now: Timestamp,
    catalog: &'a Catalog,
}

/// What pages about registries are made of: all that is known of them at the moment, and of the proxy itself.
struct Board<'a> {
    ground: Ground<'a>,
    registries: Vec<Summary<'a>>,
    configuration: &'a State,
    is_ready: bool,
    started_at: Timestamp,
    store: Option<StoreFigures>,
}

/// Browsers that are to tell nobody where they come from do not tell it us either when they send a form, which is
/// refused then (`access`).
const REFERRER: &str = "same-origin";

impl Page {
    /// The page of a path, in its segments.
    pub(super) fn of<'a>(
        segments: &[&'a str],
        decode: impl Fn(&'a str) -> Result<String, Problem>,
    ) -> Result<Option<Self>, Problem> {
        Ok(Some(match segments {
            [] | [""] => Self::Overview,
            ["dashboard", "registries", name] => Self::Registry { name: decode(name)? },
            ["dashboard", "changes"] => Self::Changes,
            ["dashboard", "conflicts"] => Self::Conflicts,
            ["dashboard", "duplicates"] => Self::Duplicates,
            _ => return Ok(None),
        }))
    }

    fn title(&self) -> &str {
        match self {
            Self::Overview => "Registries",
            Self::Registry { name } => name,
            Self::Changes => "Changes",
            Self::Conflicts => "Conflicts",
            Self::Duplicates => "Duplicates",
        }
    }

    /// The navigation's part that it belongs to.
    fn tab(&self) -> &str {
        match self {
            Self::Registry { .. } => "Registries",
            page => page.title(),
        }
    }
}

impl Service {
    /// Answers with a page of the dashboard; with one, too, where there is nothing to show.
    pub(super) async fn dashboard(&self, page: Page, request: &Parts) -> Response<Body> {
        let root = self.root(request.uri.path()).unwrap_or_default();
        let (content, problem) = match self.content(&page, root, request.uri.query()).await {
            Ok(content) => (content, None),
            Err(problem) => (told(&problem, root), Some(problem)),
        };
        let scripts = [pages::Asset::Script];
        let layout = Layout { title: page.title(), root, tabs: root.tabs(), here: Some(page.tab()), scripts: &scripts };
        let document = layout.document_with(REFERRER, &assets::links(root), &content);
        let mut response = self.responder.momentary(Bytes::from(document));
        if let Some(problem) = problem {
            *response.status_mut() = problem.status();
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HTML);
        headers.insert(CONTENT_SECURITY_POLICY, POLICY);
        headers.insert(REFERRER_POLICY, HeaderValue::from_static(REFERRER));
        response
    }

    /// Answers with something that pages load.
    pub(super) fn dashboard_asset(&self, asset: Asset) -> Answered {
        self.document(asset.representation())
    }

    async fn content(&self, page: &Page, root: Root, query: Option<&str>) -> Result<Markup, Problem> {
        Ok(match page {
            Page::Overview => self.with_board(root, None, overview::content),
            Page::Registry { name } => {
                let registry = self.registry(name)?;
                let refused = self.refused(registry).await?;
                let show = |board: &Board<'_>| {
                    board.registries.first().map(|summary| detail::content(board, registry, summary, &refused))
                };
                self.with_board(root, Some(name), show).ok_or(Problem::Internal)?
            }
            Page::Changes => {
                let (asked, catalog) = (Asked::read(query)?, self.core.current.load());
                changes::content(Ground { root, now: Timestamp::now(), catalog: &catalog }, &asked)
            }
            Page::Conflicts => self.found(root, Inspection::conflicts(query)?).await?,
            Page::Duplicates => self.found(root, Inspection::duplicates(query)?).await?,
        })
    }

    /// The entries of a registry that are refused. The whole catalog may have to be looked through for them: off the
    /// runtime's threads, when its turn has come, for a page that is open asks again every few seconds.
    async fn refused(&self, registry: &Arc<Registry>) -> Result<Vec<Refused>, Problem> {
        let (catalog, registry) = (Arc::clone(&self.core.current.load()), Arc::clone(registry));
        if !registries::refuses_names(&catalog, &registry) {
            return Ok(registries::refused_entries(&catalog, &registry));
        }
        // They are among the conflicts, and take their turn with those.
        self.look_aside(&Inspection::conflicts(None)?, move |_| registries::refused_entries(&catalog, &registry)).await
    }

    /// What is known of one registry, or of all, without what takes long.
    fn with_board<T>(&self, root: Root, only: Option<&str>, show: impl FnOnce(&Board<'_>) -> T) -> T {
        self.describe(|shown| {
            let now = Timestamp::now();
            let running = i64::try_from(self.core.started.elapsed().as_secs()).unwrap_or(i64::MAX);
            let known = shown.known.iter().filter(|registry| only.is_none_or(|only| registry.name() == only));
            show(&Board {
                ground: Ground { root, now, catalog: shown.catalog },
                registries: known.map(|registry| shown.summary(registry, Detail::Checks)).collect(),
                configuration: shown.configuration,
                is_ready: self.core.current.is_ready(),
                started_at: Timestamp::from_second(now.as_second().saturating_sub(running)).unwrap_or(now),
                store: self.core.figures.store.as_ref().map(|store| store()),
            })
        })
    }

    /// The content of a page of what is found in the whole catalog: made off the runtime's threads, when its turn has
    /// come.
    async fn found(&self, root: Root, inspection: Inspection) -> Result<Markup, Problem> {
        let (catalog, asked) = (Arc::clone(&self.core.current.load()), inspection.clone());
        let make = move |inspections: &Inspections| {
            let ground = Ground { root, now: Timestamp::now(), catalog: &catalog };
            inspections
                .find(&catalog, &asked, |findings, next| found::content(ground, &findings, &asked, next.as_deref()))
        };
        self.look_aside(&inspection, make).await
    }
}

/// What is said where there is nothing to show.
fn told(problem: &Problem, root: Root) -> Markup {
    html! {
        h1 { (problem.status().canonical_reason().unwrap_or("Problem")) }
        p.lead { (problem.detail()) }
        p { a.button.main href=(root) { "All registries" } }
    }
}

/// A version: a link where it is served. What was removed, or refused, has no page.
fn server(ground: Ground<'_>, name: &str, version: &str) -> Markup {
    let is_there = ground.catalog.server(name).is_some_and(|server| server.version(version).is_some());
    html! {
        @if is_there { a href=(ground.root.to_server(name, Some(version))) { (text::code(name)) } }
        @else { (text::code(name)) }
        " " (text::name(version))
    }
}

/// A choice of one registry, or of all.
fn filter_by_registry(ground: Ground<'_>, path: &str, chosen: Option<&str>) -> Markup {
    let registries = ground.catalog.registries.iter().map(|registry| &*registry.rules.name);
    html! {
        form.by-registry method="get" action={ (ground.root) (path) } {
            label for="registry" { "Registry" }
            select #registry name="registry" {
                option value="" selected[chosen.is_none()] { "All" }
                @for name in registries { option value=(name) selected[chosen == Some(name)] { (name) } }
            }
            button type="submit" { "Show" }
        }
    }
}
